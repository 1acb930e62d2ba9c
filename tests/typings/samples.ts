// Calls a merchant's developer writes, compiled against the bridge and against the published typings.
export {};

declare const bridge: Portal.Bridge;

// Code written for the published typings runs on the bridge: each method can stand where theirs stood.
const getAuthCode: typeof my.getAuthCode = bridge.getAuthCode;
const provided: Portal.Published = bridge;
getAuthCode({ scopes: 'auth_base', fail: (err) => console.log(err.error, err.errorMessage) });
provided.setStorageSync({ key: 'a', data: 1 });

// @ts-expect-error the check can fail: a bridge that resolves with nothing is not the published one
const broken: typeof my.getAuthCode = async () => {};
console.log(broken);

{
  const my = bridge;

  // The published sample call.
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

  my.getAuthCode({ scopes: 'auth_user', complete: (res) => console.log(res) });
  my.getAuthCode({ scopes: null });
  my.getAuthCode();
  my.getAuthCode().then((res) => res.authCode.length, (res: Portal.Failure) => res.error + 1);

  // @ts-expect-error a number is no scope
  my.getAuthCode({ scopes: [1] });
  // @ts-expect-error error is a number, not a text
  my.getAuthCode({ fail: (res) => res.error.trim() });
}
