'use strict';

// What Coffee asks for, and how it says so to a person.
const SCOPES = ['auth_base', 'USER_NICKNAME', 'USER_AVATAR', 'PLAINTEXT_MOBILE_PHONE'];
const NAMES = { auth_base: 'User ID', USER_NICKNAME: 'Nickname', USER_AVATAR: 'Photo', PLAINTEXT_MOBILE_PHONE: 'Mobile number' };
const REASONS = { 11: 'you said no', 10001: 'the super-app does not know it', 40006: 'Coffee may not ask for it', 3: 'something went wrong' };
const ENDED = ['INVALID_ACCESS_TOKEN', 'EXPIRED_ACCESS_TOKEN', 'USER_STATUS_ERROR', 'ACCESS_DENIED'];

const $ = (selector) => document.querySelector(selector);

// The page keeps a random session id, not a cookie: browsers drop cookies of a page inside another site's page.
const kept = () => my.getStorageSync({ key: 'session' }).data;
const keep = (session) => my.setStorageSync({ key: 'session', data: session });
const forget = () => my.removeStorageSync({ key: 'session' });

async function ask(method, path, body) {
  const { id = '' } = kept() || {};
  const headers = { 'Content-Type': 'application/json', 'X-Session': id };
  try {
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    return await response.json();
  } catch (error) {
    return { error: { code: 'NO_ANSWER', message: 'Coffee itself could not be reached' } };
  }
}

// ---- showing -----------------------------------------------------------------------------------------------------------

function say(text, code) {
  const message = $('#message');
  message.hidden = !text;
  message.textContent = text || '';
  if (!code) return;
  const small = document.createElement('code');
  small.textContent = code;
  message.append(' ', small);
}

function rows(list, pairs) {
  list.replaceChildren(...pairs.map(([term, value]) => {
    const row = document.createElement('div');
    row.append(Object.assign(document.createElement('dt'), { textContent: term }));
    row.append(Object.assign(document.createElement('dd'), { textContent: value }));
    return row;
  }));
}

function showUser(user, refused) {
  const phone = (user.contactInfos || []).find((contact) => contact.contactType === 'MOBILE_PHONE');
  const name = user.nickName || 'friend';
  $('#greeting').textContent = `Good to see you, ${name}`;
  $('#cup-name').textContent = user.nickName ? name.slice(0, 12) : '';
  $('#avatar').hidden = !user.avatar;
  if (user.avatar) $('#avatar').src = user.avatar;
  rows($('#details'), [
    ['Nickname', user.nickName],
    ['Mobile number', phone && `+${phone.contactNo.replace('-', ' ')}`],
    ['Photo', user.avatar && 'shown above'],
    ['Your ID at Coffee', user.userId],
  ].filter(([, value]) => value));
  const no = Object.entries(refused || {}).map(([scope, code]) => `${NAMES[scope] || scope} (${REASONS[code] || code})`);
  $('#refused').hidden = !no.length;
  $('#refused').textContent = `Not shared with us: ${no.join(', ')}. That is fine, your coffee tastes the same.`;
  document.body.classList.add('signed-in');
  $('.account').removeAttribute('aria-busy');
}

function showNobody() {
  document.body.classList.remove('signed-in');
  $('.account').removeAttribute('aria-busy');
  $('#cup-name').textContent = '';
  $('#avatar').removeAttribute('src');
}

function showRefusal({ code, message }) {
  if (ENDED.includes(code)) {
    forget();
    showNobody();
    return say('Coffee may no longer see you: the permission has ended. Sign in again whenever you like.', code);
  }
  if (!kept()) showNobody();
  return say(`That did not work${message ? `: ${message}` : ''}. Please try again.`, code);
}

// ---- doing -------------------------------------------------------------------------------------------------------------

function signIn() {
  say('');
  my.getAuthCode({
    scopes: SCOPES,
    success: async ({ authCode, authErrorScopes }) => {
      const answer = await ask('POST', '/session', { authCode });
      if (answer.error) return showRefusal(answer.error);
      keep({ id: answer.session, refused: authErrorScopes });
      return showUser(answer.user, authErrorScopes);
    },
    fail: ({ error, errorMessage }) => {
      if (error === 11) say('No problem. You can still look at the menu; sign in whenever you want your name on the cup.', 'error 11');
      else say(error === 10 ? `We could not reach the super-app. ${errorMessage}` : errorMessage, `error ${error}`);
    },
  });
}

async function refresh() {
  say('');
  const session = kept();
  if (!session) return showNobody();
  const answer = await ask('GET', '/me');
  if (answer.user) return showUser(answer.user, session.refused);
  if (answer.error.code !== 'SIGNED_OUT') return showRefusal(answer.error);
  forget();
  showNobody();
  return say('Coffee has forgotten this visit. Sign in again whenever you like.', 'SIGNED_OUT');
}

async function signOut() {
  await ask('POST', '/sign-out');
  forget();
  showNobody();
  say('You are signed out. See you soon!');
}

$('#sign-in').addEventListener('click', signIn);
$('#refresh').addEventListener('click', refresh);
$('#sign-out').addEventListener('click', signOut);
refresh();
