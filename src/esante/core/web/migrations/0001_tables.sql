-- Signed-in people: the cookie's value is kept only as its SHA-256.
CREATE TABLE web_session (
    token_hash bytea PRIMARY KEY,
    principal jsonb NOT NULL,
    csrf text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX web_session_expiry ON web_session (expires_at);
