CREATE TABLE stored (
  model text NOT NULL, id text NOT NULL, payload jsonb NOT NULL,
  grant_id text, uid text, user_code text, expires_at timestamptz,
  PRIMARY KEY (model, id)
);
CREATE INDEX ON stored (grant_id);
CREATE INDEX ON stored (uid) WHERE uid IS NOT NULL;
CREATE INDEX ON stored (user_code) WHERE user_code IS NOT NULL;
CREATE TABLE account (
  id text PRIMARY KEY, nickname text, name text, birthdate text, email text, phone_number text, address jsonb
);
