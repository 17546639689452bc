-- Passkeys: public keys of people (`holder_kind`: patient, practitioner, operator). Found by the credential id, which
-- the device of the person sends.
CREATE TABLE signin_passkey (
    credential_id bytea PRIMARY KEY,
    holder_kind text NOT NULL,
    holder_id uuid NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    synced boolean NOT NULL,
    added_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX signin_passkey_holder ON signin_passkey (holder_id, added_at);

-- Codes with which somebody adds their first passkey (`activation`) or a new one for those that are lost (`recovery`).
-- One of a holder is open at a time.
CREATE TABLE signin_code (
    code_hash bytea PRIMARY KEY,
    holder_kind text NOT NULL,
    holder_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('activation', 'recovery')),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    used_at timestamptz
);
CREATE UNIQUE INDEX signin_code_open ON signin_code (holder_id) WHERE used_at IS NULL;

-- Staff of the agency who may sign in.
CREATE TABLE signin_operator (
    operator_id uuid PRIMARY KEY,
    name text NOT NULL,
    invited_by text NOT NULL,
    invited_at timestamptz NOT NULL,
    ended_at timestamptz
);

-- Recoveries of accounts: asked for by one operator, confirmed by another, who gets the code.
CREATE TABLE signin_recovery (
    recovery_id uuid PRIMARY KEY,
    holder_kind text NOT NULL,
    holder_id uuid NOT NULL,
    holder text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'confirmed', 'withdrawn')),
    asked_at timestamptz NOT NULL,
    asked_by uuid NOT NULL,
    asker text NOT NULL,
    decided_at timestamptz,
    decided_by uuid,
    decider text NOT NULL DEFAULT '',
    CHECK ((state = 'open') = (decided_at IS NULL)),
    CHECK (state <> 'confirmed' OR decided_by <> asked_by)
);
CREATE UNIQUE INDEX signin_recovery_open ON signin_recovery (holder_id) WHERE state = 'open';

-- What the platform must remember between two requests of a browser that signs in: the challenge of a passkey, the state
-- of a code flow. `key_hash`: of the browser's cookie. Each row serves once.
CREATE TABLE signin_ceremony (
    key_hash bytea PRIMARY KEY,
    purpose text NOT NULL,
    content jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX signin_ceremony_expiry ON signin_ceremony (expires_at);
