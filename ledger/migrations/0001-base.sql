-- The ledger's own identity, its audit trail with seals, the outbox, and the rows of embedded custody.

CREATE TABLE instance (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  id         text NOT NULL DEFAULT 'ins_0' || left(replace(gen_random_uuid()::text, '-', ''), 25),
  epoch      integer NOT NULL DEFAULT 1 CHECK (epoch > 0),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO instance DEFAULT VALUES;

CREATE TABLE audit (
  id            bigserial PRIMARY KEY,
  at            timestamptz NOT NULL DEFAULT clock_timestamp(),
  credential_id text,
  rotation_id   text,
  actor         text NOT NULL CHECK (actor <> ''),
  action        text NOT NULL CHECK (action <> ''),
  details       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
  -- Ids may become visible out of order; what an ended transaction wrote cannot. The sealer looks from here.
  tx            xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX audit_tx ON audit (tx);
CREATE INDEX audit_credential ON audit (credential_id, id) WHERE credential_id IS NOT NULL;
CREATE INDEX audit_key_copied ON audit (id) WHERE action = 'custody.key_copied';
CREATE INDEX audit_rotation ON audit (rotation_id, id) WHERE rotation_id IS NOT NULL;

-- No foreign keys from here on: whoever deletes an audit row must leave its seal behind as the witness.
CREATE TABLE audit_seals (
  position      bigint PRIMARY KEY CHECK (position > 0),
  audit_id      bigint NOT NULL UNIQUE,
  previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
  hash          bytea NOT NULL CHECK (octet_length(hash) = 32),
  sealed_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE audit_heads (
  position      bigint PRIMARY KEY,
  sealed_at     timestamptz NOT NULL,
  last_audit_id bigint NOT NULL,
  hash          bytea NOT NULL CHECK (octet_length(hash) = 32),
  signature     bytea NOT NULL,
  key_id        text NOT NULL
);

-- Stops a mistake, not an owner of the tables; the seals and the exported heads show what an owner did.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_heads
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE outbox (
  id       bigserial PRIMARY KEY,
  audit_id bigint NOT NULL UNIQUE,
  event    text NOT NULL,
  body     jsonb NOT NULL,
  at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE custody_values (
  key         text PRIMARY KEY, -- credential/version/purpose
  format      integer NOT NULL,
  key_id      text NOT NULL,
  key_check   bytea NOT NULL CHECK (octet_length(key_check) = 8),
  wrap_nonce  bytea NOT NULL CHECK (octet_length(wrap_nonce) = 12),
  wrapped_key bytea NOT NULL CHECK (octet_length(wrapped_key) = 48),
  nonce       bytea NOT NULL CHECK (octet_length(nonce) = 12),
  ciphertext  bytea NOT NULL CHECK (octet_length(ciphertext) > 16),
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX custody_values_key_id ON custody_values (key_id);
