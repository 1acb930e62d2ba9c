// The container: answers the mini-program page in the iframe for the signed-in user, and shows the consent sheet.
(() => {
  'use strict';

  const box = document.body.dataset;
  const csrfToken = document.querySelector('[name=csrfmiddlewaretoken]').value;
  const sheet = document.getElementById('sheet');
  const CANCELLED = "User's authorization is cancelled";
  const MAX_REPORTS = 20; // a page in a loop must not flood the error audit
  let reports = 0;
  let queue = Promise.resolve();

  const failure = (error, errorMessage, authErrorScopes) =>
    ({ authSuccessScopes: [], authErrorScopes: authErrorScopes || {}, error, errorMessage });

  // ---- the portal's API ----------------------------------------------------------------------------------------------

  const request = (url, body, options) => fetch(url, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'application/json', 'X-CSRFToken': csrfToken },
    body: JSON.stringify(body),
    ...options,
  });

  // Errors the server has not answered itself are told to it afterwards, as far as that is possible.
  function report(failed, scopes) {
    const { error, errorMessage } = failed;
    reports += 1;
    if (reports > MAX_REPORTS) return failed;
    request(box.reportUrl, { appId: box.appId, error, errorMessage, scopes }, { keepalive: true }).catch(() => {});
    return failed;
  }

  // How far the server's clock is ahead of this device's: times in answers are the server's.
  const clockAhead = (response) => (Date.parse(response.headers.get('Date')) || Date.now()) - Date.now();

  // Always gives an answer in the shape of getAuthCode, whatever happens on the way.
  async function ask(url, body, scopes) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), Number(box.timeoutMs) || 15000);
    try {
      const response = await request(url, body, { signal: abort.signal });
      if (response.status === 401) {
        window.location.assign(box.loginUrl);
        return failure(3, 'Unknown error: the user is not signed in');
      }
      if (response.status === 403) return failure(3, 'Unknown error: the portal refused the request');
      if (response.status === 500) return report(failure(3, 'Unknown error'), scopes);
      const answer = await response.json();
      if (answer.error == null && !answer.authCode) return report(failure(10, 'Empty data'), scopes);
      return { ...answer, clockAhead: clockAhead(response) };
    } catch (error) {
      return report(failure(10, 'Empty data'), scopes);
    } finally {
      clearTimeout(timer);
    }
  }

  // ---- the consent sheet ---------------------------------------------------------------------------------------------

  // A page could lure a person into a double click that lands on the sheet: it takes no clicks in its first moment.
  function guard(frame) {
    let until = Infinity;
    frame.addEventListener('load', () => { until = Math.min(until, performance.now() + 400); });
    const tick = () => {
      const over = performance.now() > until;
      const root = frame.contentDocument && frame.contentDocument.documentElement;
      if (root) root.style.pointerEvents = over ? '' : 'none';
      if (!over && frame.isConnected) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  function onSheetLoad(frame) {
    sheet.classList.add('is-loaded');
    frame.focus();
    if (!frame.contentDocument) return; // a link led to a foreign page
    // Escape pressed inside the iframe never reaches the dialog by itself.
    frame.contentWindow.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.defaultPrevented) sheet.close();
    });
  }

  // A fresh iframe for each question, so that no question leaves an entry in the browser's history.
  function sheetFrame(url) {
    const frame = document.createElement('iframe');
    frame.title = sheet.getAttribute('aria-label');
    frame.src = url;
    frame.addEventListener('load', () => onSheetLoad(frame));
    guard(frame);
    return frame;
  }

  // Resolves with 'decided', 'closed' (by the user) or 'expired'.
  function showSheet(pending) {
    return new Promise((resolve) => {
      const frame = sheetFrame(pending.consentUrl);
      const left = Date.parse(pending.consentExpiryTime) - Date.now() - pending.clockAhead;
      const timer = setTimeout(() => end('expired'), Number.isNaN(left) ? 600000 : Math.max(0, left));
      // The close event comes late: one that belongs to the question before must not close this one.
      const closed = () => { if (!sheet.open) end('closed'); };

      function hear({ source, origin, data }) {
        if (source !== frame.contentWindow || origin !== window.location.origin || !data) return;
        if (data.type === 'portal.consent.decided' && data.consentId === pending.consentId) end('decided');
        if (data.type === 'portal.consent.height') sheet.style.setProperty('--content', `${Number(data.height) || 0}px`);
      }

      function end(outcome) {
        clearTimeout(timer);
        window.removeEventListener('message', hear);
        sheet.removeEventListener('close', closed);
        sheet.close();
        sheet.classList.remove('is-loaded');
        sheet.style.removeProperty('--content');
        frame.remove();
        document.getElementById('mini-program').contentWindow.focus();
        resolve(outcome);
      }

      window.addEventListener('message', hear);
      sheet.addEventListener('close', closed);
      sheet.append(frame);
      sheet.showModal();
    });
  }

  // The dialog is the target of clicks on its backdrop, and of those on parts that take none.
  function onBackdrop(event) {
    const { left, right, top, bottom } = sheet.getBoundingClientRect();
    const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
    return event.target === sheet && !inside;
  }

  // A press that began inside the sheet and ended on the backdrop is no wish to close.
  let pressedBackdrop = false;
  sheet.addEventListener('pointerdown', (event) => { pressedBackdrop = onBackdrop(event); });
  sheet.addEventListener('click', (event) => {
    if (pressedBackdrop && onBackdrop(event)) sheet.close();
  });

  async function askUser(pending, scopes) {
    const outcome = await showSheet(pending);
    if (outcome === 'decided') {
      const { consentId } = pending;
      const answer = await ask(box.getAuthCodeUrl, { appId: box.appId, scopes, consentId }, scopes);
      return answer.error === 2001 ? report(failure(3, 'Unknown error'), scopes) : answer;
    }
    if (outcome === 'expired') return report(failure(11, CANCELLED, pending.authErrorScopes), scopes);
    const url = box.decisionUrl.replace('CONSENT_ID', encodeURIComponent(pending.consentId));
    const answer = await ask(url, { grantedScopes: [] }, scopes);
    return failure(11, CANCELLED, answer.error === 11 ? answer.authErrorScopes : pending.authErrorScopes);
  }

  // ---- the mini-program page -----------------------------------------------------------------------------------------

  async function getAuthCode(scopes) {
    const answer = await ask(box.getAuthCodeUrl, { appId: box.appId, scopes }, scopes);
    if (answer.error !== 2001) return answer;
    if (new URL(answer.consentUrl, window.location.href).origin === window.location.origin) return askUser(answer, scopes);
    return report(failure(3, 'Unknown error: the consent page is not on the portal'), scopes);
  }

  async function perform({ name, args }) {
    if (name !== 'getAuthCode') return report(failure(2, 'Invalid parameters'), null);
    const { scopes = null } = Object(args);
    const { authCode, authSuccessScopes, authErrorScopes, error, errorMessage } = await getAuthCode(scopes);
    return { authCode, authSuccessScopes, authErrorScopes, error, errorMessage };
  }

  // One call at a time: a second call for the same scopes finds the answer of the first and opens no second sheet.
  function enqueue(call, reply) {
    queue = queue
      .then(() => perform(call))
      .catch(() => report(failure(3, 'Unknown error'), null))
      .then((result) => reply({ type: 'portal.result', id: call.id, result }));
  }

  // What the page says of its own errors, cut down to what such an error can be.
  function hearError({ error, errorMessage, scopes }) {
    if (error !== 2 && error !== 10) return;
    const names = Array.isArray(scopes) ? scopes.slice(0, 50).map((scope) => String(scope).slice(0, 64)) : null;
    report({ error, errorMessage: String(errorMessage).slice(0, 256) }, names);
  }

  window.addEventListener('message', ({ source, origin, data }) => {
    const page = document.getElementById('mini-program');
    if (!page || source !== page.contentWindow || origin !== box.origin || !data) return;
    const reply = (message) => page.contentWindow.postMessage(message, box.origin);
    if (data.type === 'portal.error') hearError(data);
    if (data.type !== 'portal.call') return;
    reply({ type: 'portal.ack', id: data.id });
    enqueue(data, reply);
  });
})();
