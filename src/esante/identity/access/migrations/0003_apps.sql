-- Software that people use: who makes it, where it may be sent back to and started, each address behind a blank.
-- Only software that signs in for itself acts for an organisation.
ALTER TABLE software_client
    ALTER COLUMN organization_id DROP NOT NULL,
    ADD COLUMN maker text NOT NULL DEFAULT '',
    ADD COLUMN redirect_uris text NOT NULL DEFAULT '',
    ADD COLUMN launch_url text NOT NULL DEFAULT '';

ALTER TABLE access_token
    ADD COLUMN client_id text NOT NULL DEFAULT '',
    ADD COLUMN connection_id uuid;

-- What a person allowed an app, and what it had asked for; a professional's, for the patient it was opened for.
CREATE TABLE app_authorization (
    authorization_id uuid PRIMARY KEY,
    client_id text NOT NULL,
    holder_id uuid NOT NULL,
    patient_id uuid,
    asked text NOT NULL,
    scopes text NOT NULL,
    given_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX app_authorization_holder ON app_authorization (holder_id, client_id) WHERE revoked_at IS NULL;
CREATE INDEX app_authorization_until ON app_authorization (until);

-- One coming of an app: the code that was sent to it, and all tokens that follow from it, live and end together.
CREATE TABLE app_connection (
    connection_id uuid PRIMARY KEY,
    authorization_id uuid NOT NULL,
    principal jsonb NOT NULL,
    scopes text NOT NULL,
    session_hash bytea NOT NULL,
    code_hash bytea NOT NULL UNIQUE,
    code_until timestamptz NOT NULL,
    redirect_uri text NOT NULL,
    challenge text NOT NULL,
    nonce text NOT NULL,
    until timestamptz NOT NULL,
    code_used_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX app_connection_until ON app_connection (until);

-- Refresh tokens: each serves once, and one that is sent again ends its connection.
CREATE TABLE app_refresh (
    token_hash bytea PRIMARY KEY,
    connection_id uuid NOT NULL,
    until timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX app_refresh_until ON app_refresh (until);

-- Apps opened from the portal, which have not come back yet.
CREATE TABLE app_launch (
    launch_hash bytea PRIMARY KEY,
    client_id text NOT NULL,
    patient_id uuid NOT NULL,
    session_hash bytea NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX app_launch_until ON app_launch (until);
