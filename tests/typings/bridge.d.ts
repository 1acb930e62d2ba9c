// What my.js provides, as its users see it. It is wider than the published typings where the wire contract is: scopes may
// be null, and a failure names the scopes that failed. The intersection below holds my.js to both at once.
/// <reference path="./node_modules/@mini-types/my/types/index.d.ts" />

declare namespace Portal {
  type Published = Pick<
    typeof my,
    | 'getAuthCode'
    | 'alert'
    | 'canIUse'
    | 'getAppIdSync'
    | 'getSystemInfoSync'
    | 'getStorageSync'
    | 'setStorageSync'
    | 'removeStorageSync'
  >;

  // The published typings list the scopes of one vendor; the wire names any.
  type Scopes = Awaited<ReturnType<typeof my.getAuthCode>>['authSuccessScopes'];

  interface ErrorScopes {
    [scope: string]: string;
  }
  interface AuthCode {
    authCode: string;
    authSuccessScopes: Scopes;
    authErrorScopes: ErrorScopes;
  }
  interface Failure {
    authSuccessScopes: never[];
    authErrorScopes: ErrorScopes;
    error: number;
    errorMessage: string;
  }

  interface AuthCodeOptions {
    scopes?: string | string[] | null;
    success?(result: AuthCode): void;
    fail?(result: Failure): void;
    complete?(result: AuthCode | Failure): void;
  }
  interface AlertOptions {
    title?: string;
    content?: string;
    buttonText?: string;
    success?(result: {}): void;
    fail?(result: { error?: number; errorMessage?: string }): void;
    complete?(result: {}): void;
  }

  interface Bridge {
    getAuthCode(options?: AuthCodeOptions | null): Promise<AuthCode>;
    alert(options?: AlertOptions): Promise<void>;
    canIUse(name: string): boolean;
    getAppIdSync(): { appId: string };
    getSystemInfoSync(): ReturnType<typeof my.getSystemInfoSync>;
    getStorageSync(options: string | { key: string }): { data: unknown };
    setStorageSync(
      options: string | { key: string; data: unknown },
      data?: unknown,
    ): { success: boolean; error?: number; errorMessage?: string };
    removeStorageSync(options: string | { key: string }): { success: true };
  }

  type My = Bridge & Published;

  // What my.js needs inside itself.
  type Run = (callback: unknown, value: unknown) => void;
  type Pending = { resolve: (result: any) => void; timer: number };
  type Answer = <T>(options: unknown, outcome: Promise<T>) => Promise<T>;
  type Fail<Scopes> = (error: number, errorMessage: string, scopes?: Scopes) => Failure;
  type Draw = <K extends keyof HTMLElementTagNameMap>(tag: K, style: object, text?: unknown) => HTMLElementTagNameMap[K];
  type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
}
