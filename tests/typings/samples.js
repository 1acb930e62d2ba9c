// The same from plain JavaScript, type-checked.
(() => {
  /** @type {Portal.My} */
  const my = Reflect.get(window, 'my');

  my.getAuthCode({
    scopes: null,
    success: (res) => {
      my.alert({ title: 'Signed in', content: res.authCode });
    },
    fail: (res) => {
      console.log(res.error, res.errorMessage, Object.keys(res.authErrorScopes));
    },
  });

  my.getAuthCode({ scopes: 'auth_user', success: (res) => console.log(res.authSuccessScopes) });
})();
