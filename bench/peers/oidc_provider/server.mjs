// node oidc-provider with WORKERS processes on one port. Environment: PORT, WORKERS, DATABASE_URL, JWK_FILE,
// CLIENT_ID, CLIENT_SECRET, REDIRECT_URI.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import process from 'node:process';

import { Provider } from 'oidc-provider';

import PostgresAdapter, { findAccount } from './adapter.mjs';

const { env } = process;

function serve() {
  const provider = new Provider(`http://127.0.0.1:${env.PORT}`, {
    adapter: PostgresAdapter,
    findAccount,
    jwks: { keys: [JSON.parse(readFileSync(env.JWK_FILE, 'utf8'))] },
    clients: [{
      client_id: env.CLIENT_ID,
      client_secret: env.CLIENT_SECRET,
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [env.REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    claims: {
      openid: ['sub'],
      profile: ['nickname', 'name', 'birthdate'],
      email: ['email'],
      phone: ['phone_number'],
      address: ['address'],
    },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'phone', 'address'],
    pkce: { required: () => false },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['for one run on this machine'] },
    ttl: { AccessToken: 3600, AuthorizationCode: 300, IdToken: 3600, RefreshToken: 30 * 86400, Grant: 180 * 86400 },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  provider.listen(env.PORT, '127.0.0.1');
}

if (cluster.isPrimary) {
  for (let n = 0; n < Number(env.WORKERS); n += 1) cluster.fork();
  cluster.on('exit', (worker, code) => {
    console.error(`worker ${worker.process.pid} ended with ${code}`);
    process.exit(1);
  });
} else {
  serve();
}
