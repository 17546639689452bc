-- Researchers with an account: `key_hash` is the SHA-256 of the access key, which is not stored. `public_body`: they
-- work for a public sector body. `reason`: why the account was suspended.
CREATE TABLE research_account (
    account_id uuid PRIMARY KEY,
    name text NOT NULL,
    organization text NOT NULL,
    email text NOT NULL,
    public_body boolean NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    status text NOT NULL,
    registered_at timestamptz NOT NULL,
    reason text NOT NULL
);
CREATE UNIQUE INDEX research_account_email ON research_account (lower(email));
