// The bridge a mini-program page loads: adds window.my, nothing else, and talks to the container around the page.
// Types: tests/typings/bridge.d.ts.
(() => {
  'use strict';

  /** @type {any} */
  const script = document.currentScript || document.querySelector('script[src*="my.js"]');
  const portal = new URL(script.src).origin;
  const embedded = window.parent !== window;
  /** @type {Map<string, Portal.Pending>} */
  const pending = new Map();
  let calls = 0;

  // An exception in a callback is thrown again later: its author sees it, the next one still runs.
  /** @type {Portal.Run} */
  function run(callback, value) {
    if (typeof callback !== 'function') return;
    try {
      callback(value);
    } catch (error) {
      setTimeout(() => { throw error; });
    }
  }

  // One of success and fail, then complete. Who gave a fail callback has handled the rejection.
  /** @type {Portal.Answer} */
  function answer(options, outcome) {
    const { success, fail, complete } = Object(options);
    const promise = outcome.then(
      (result) => { run(success, result); run(complete, result); return result; },
      (error) => { run(fail, error); run(complete, error); throw error; },
    );
    if (typeof fail === 'function') promise.catch(() => {});
    return promise;
  }

  /** @type {(message: object) => void} */
  const post = (message) => window.parent.postMessage(message, portal);

  // The container acknowledges within ten seconds; then it may wait for the user.
  /** @type {(name: string, args: object) => Promise<any>} */
  const call = (name, args) => new Promise((resolve) => {
    const id = `${++calls}-${Math.random()}`;
    const timer = setTimeout(() => { pending.delete(id); resolve(null); }, Number(script.dataset.ackMs) || 10000);
    pending.set(id, { resolve, timer });
    post({ type: 'portal.call', id, name, args });
  });

  window.addEventListener('message', ({ source, origin, data }) => {
    const waiting = source === window.parent && origin === portal && data && pending.get(data.id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    if (data.type !== 'portal.result') return;
    pending.delete(data.id);
    waiting.resolve(data.result || {});
  });

  /** @type {Portal.Fail<Portal.ErrorScopes>} */
  const failure = (error, errorMessage, scopes) =>
    ({ authSuccessScopes: [], authErrorScopes: scopes || {}, error, errorMessage });

  // A failure only this page knows of is told to the container.
  /** @type {Portal.Fail<unknown>} */
  function refuse(error, errorMessage, scopes) {
    const asked = Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : null;
    if (embedded) post({ type: 'portal.error', error, errorMessage, scopes: asked });
    return failure(error, errorMessage);
  }

  // The scopes asked for, or null when the arguments are wrong.
  /** @type {(options: any) => string[] | null} */
  function wanted(options) {
    if (options == null) return ['auth_base'];
    const { scopes, success, fail, complete } = options;
    const callable = [success, fail, complete].every((f) => f == null || typeof f === 'function');
    if (!callable || typeof options !== 'object') return null;
    if (scopes == null) return ['auth_base'];
    const list = typeof scopes === 'string' ? [scopes] : Array.isArray(scopes) ? [...scopes] : [];
    return list.length && list.every((scope) => typeof scope === 'string') ? list : null;
  }

  /** @type {(options: any) => Promise<Portal.AuthCode>} */
  async function authCode(options) {
    const scopes = wanted(options);
    if (!scopes) throw refuse(2, 'Invalid parameters', Object(options).scopes);
    if (!embedded) throw failure(10, 'Empty data: open this page inside the super-app');
    /** @type {any} */
    const focused = document.activeElement;
    const result = await call('getAuthCode', { scopes });
    if (focused && document.activeElement === document.body) focused.focus(); // the sheet had it
    if (!result) throw refuse(10, `Empty data: the container at ${portal} did not answer`, scopes);

    /** @type {Portal.ErrorScopes} */
    const errors = {};
    for (const [scope, code] of Object.entries(result.authErrorScopes || {})) errors[scope] = String(code);
    if (result.error != null) throw failure(Number(result.error) || 3, result.errorMessage || 'Unknown error', errors);
    if (!result.authCode) throw refuse(10, 'Empty data', scopes);
    return { authCode: result.authCode, authSuccessScopes: result.authSuccessScopes || [], authErrorScopes: errors };
  }

  // Styled property by property: a page's CSP may forbid style elements and attributes.
  /** @type {Portal.Draw} */
  function draw(tag, style, text) {
    const element = Object.assign(document.createElement(tag), { textContent: text });
    Object.assign(element.style, { boxSizing: 'border-box', border: 0 }, style);
    return element;
  }

  /** @type {(options: Portal.AlertOptions) => Promise<any>} */
  function show({ title = '', content = '', buttonText = 'OK' }) {
    const dialog = draw('dialog', {
      width: 'min(20rem, 100vw - 2rem)', padding: '1.5rem', borderRadius: '1.25rem', overflowWrap: 'anywhere',
      font: '1rem/1.5 system-ui', textAlign: 'start', colorScheme: 'light dark',
      background: 'Canvas', color: 'CanvasText', boxShadow: '0 0 0 100vmax rgb(10 13 28 / .5)',
    });
    const heading = draw('h2', { margin: '0 0 .5rem', fontSize: '1.125rem' }, title);
    const body = draw('p', { margin: '0 0 1.25rem', whiteSpace: 'pre-line' }, content);
    const button = draw('button', {
      width: '100%', minHeight: '3rem', borderRadius: '.875rem',
      background: '#2446e6', color: '#fff', font: '600 1rem system-ui',
    }, buttonText);
    heading.hidden = !title;
    dialog.setAttribute('role', 'alertdialog');
    dialog.setAttribute('aria-label', `${title} ${content}`);
    dialog.append(heading, body, button);
    document.body.append(dialog);
    return new Promise((resolve) => {
      button.onclick = () => dialog.close();
      dialog.onclose = () => { dialog.remove(); resolve({}); };
      dialog.showModal();
    });
  }

  // The container names the iframe {"appId": ...}: readable without a message.
  function getAppIdSync() {
    try {
      return { appId: String(JSON.parse(window.name).appId || '') };
    } catch (error) {
      return { appId: '' };
    }
  }

  // Empty or false: a browser cannot know.
  function getSystemInfoSync() {
    const no = false;
    const ua = navigator.userAgent;
    const { width, height } = window.screen;
    const [ios] = /iP(hone|ad|od)/.exec(ua) || [];
    const platform = ios ? 'iOS' : (/Android|Windows|Mac|Linux|CrOS/.exec(ua) || ['unknown'])[0];
    const [, version = ''] = /(?:OS X|OS|Android|NT) ([\d._]+)/.exec(ua) || [];
    const [, device = platform] = /Android [^;)]+; ([^;)]+?)(?: Build|[;)])/.exec(ua) || [];
    return {
      app: 'portal', version: '1.0.0', language: navigator.language, platform, model: ios || device,
      system: `${platform} ${version.replace(/_/g, '.')}`.trim(), brand: /iP|Mac/.test(ua) ? 'Apple' : '',
      pixelRatio: window.devicePixelRatio, screen: { width, height }, screenWidth: width, screenHeight: height,
      windowWidth: window.innerWidth, windowHeight: window.innerHeight, titleBarHeight: 0, statusBarHeight: 0,
      fontSizeSetting: parseFloat(getComputedStyle(document.documentElement).fontSize),
      performance: /** @type {const} */ ('unknown'), currentBattery: '', storage: '', transparentTitle: no,
      isIphoneXSeries: no, albumAuthorized: no, cameraAuthorized: no, locationAuthorized: no, microphoneAuthorized: no,
      locationEnabled: no, wifiEnabled: no, bluetoothEnabled: no, bluetoothAuthorized: no, notificationAuthorized: no,
      notificationAlertAuthorized: no, notificationBadgeAuthorized: no, notificationSoundAuthorized: no,
      overlayAuthorized: no,
    };
  }

  // Where storage is blocked, values live as long as the page.
  /** @type {Portal.Store} */
  let store;
  try {
    store = window.localStorage;
  } catch (error) {
    const map = new Map();
    store = { getItem: (k) => map.get(k), setItem: (k, v) => void map.set(k, v), removeItem: (k) => void map.delete(k) };
  }
  /** @type {(options: string | {key: string}) => string} */
  const named = (options) => `my:${getAppIdSync().appId}:${typeof options === 'string' ? options : options.key}`;

  /** @type {Record<string, string>} */
  const fields = {
    getAuthCode: 'scopes success fail complete authCode authSuccessScopes authErrorScopes',
    alert: 'title content buttonText success fail complete', canIUse: '', getAppIdSync: 'appId',
    getSystemInfoSync: Object.keys(getSystemInfoSync()).join(' '),
    getStorageSync: 'key data', setStorageSync: 'key data success', removeStorageSync: 'key success',
  };

  /** @type {Portal.My} */
  const my = {
    getAuthCode: (options) => answer(options, authCode(options)),
    alert: (options) => answer(options, show(Object(options))),
    // 'getAuthCode' or 'getAuthCode.object.scopes'
    canIUse(name) {
      const [method, , field] = String(name).split('.');
      return Object.keys(fields).includes(method) && (!field || fields[method].split(' ').includes(field));
    },
    getAppIdSync,
    getSystemInfoSync,
    getStorageSync(options) {
      try {
        return { data: JSON.parse(store.getItem(named(options)) || 'null') };
      } catch (error) {
        return { data: null };
      }
    },
    setStorageSync(options, data = undefined) {
      const value = typeof options === 'string' ? data : options.data;
      try {
        store.setItem(named(options), JSON.stringify(value === undefined ? null : value));
        return { success: true };
      } catch (error) {
        return { success: false, error: 3, errorMessage: String(error) };
      }
    },
    removeStorageSync(options) {
      store.removeItem(named(options));
      return { success: true };
    },
  };
  Object.assign(window, { my });
})();
