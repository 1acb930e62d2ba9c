'use strict';

const write = (result) => {
  document.querySelector('#out').textContent = JSON.stringify(result, null, 2);
};
document.querySelector('#call').addEventListener('click', () => {
  my.getAuthCode({
    scopes: null,
    success: write,
    fail: write,
  });
});
