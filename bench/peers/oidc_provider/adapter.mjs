// Everything oidc-provider stores, as rows of one PostgreSQL table; statements are prepared once a connection.
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });

const statements = {
  upsert: `INSERT INTO stored (model, id, payload, grant_id, uid, user_code, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
  find: 'SELECT payload FROM stored WHERE model = $1 AND id = $2',
  findByUid: 'SELECT payload FROM stored WHERE model = $1 AND uid = $2',
  findByUserCode: 'SELECT payload FROM stored WHERE model = $1 AND user_code = $2',
  destroy: 'DELETE FROM stored WHERE model = $1 AND id = $2',
  consume: `UPDATE stored SET payload = payload || jsonb_build_object('consumed', extract(epoch FROM now())::int)
            WHERE model = $1 AND id = $2`,
  revokeByGrantId: 'DELETE FROM stored WHERE grant_id = $1',
  account: 'SELECT id, nickname, name, birthdate, email, phone_number, address FROM account WHERE id = $1',
};

const run = (name, ...values) => pool.query({ name, text: statements[name], values });
const payload = async (...words) => (await run(...words)).rows[0]?.payload;

export default class PostgresAdapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, data, expiresIn) {
    const end = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
    await run('upsert', this.model, id, data, data.grantId, data.uid, data.userCode, end);
  }

  find(id) { return payload('find', this.model, id); }

  findByUid(uid) { return payload('findByUid', this.model, uid); }

  findByUserCode(code) { return payload('findByUserCode', this.model, code); }

  destroy(id) { return run('destroy', this.model, id); }

  consume(id) { return run('consume', this.model, id); }

  revokeByGrantId(grantId) { return run('revokeByGrantId', grantId); }
}

// An account is read when its claims are wanted, once a request.
export async function findAccount(ctx, accountId) {
  return {
    accountId,
    async claims() {
      const { id, ...claims } = (await run('account', accountId)).rows[0];
      return { sub: id, ...claims };
    },
  };
}
