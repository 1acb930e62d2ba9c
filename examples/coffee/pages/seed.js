'use strict';

const sample = () =>
  my.getAuthCode({
    scopes: ['auth_base'],
    success: (res) => {
      my.alert({
        content: res.authCode,
      });
    },
    fail: (res) => {
      console.log(res.authErrorScopes);
    },
  });

// The promise brings the same object as the callbacks above.
const write = (result) => {
  document.querySelector('#out').textContent = JSON.stringify(result, null, 2);
};
document.querySelector('#call').addEventListener('click', () => sample().then(write, write));
