-- The life of each person's record, and whether she shares it. `deceased_at` repeats the directory's date, so
-- that a decision reads one row.
CREATE TABLE access_record (
    person_id uuid PRIMARY KEY,
    state text NOT NULL,
    announced_at timestamptz,
    objection_until timestamptz,
    changed_at timestamptz NOT NULL,
    sharing boolean NOT NULL DEFAULT true,
    deceased_at timestamptz
);
CREATE INDEX access_record_due ON access_record (objection_until) WHERE state = 'announced';

CREATE TABLE access_grant (
    person_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    kind text NOT NULL,
    holder_kind text NOT NULL,
    holder_id uuid NOT NULL,
    holder text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    revoked_at timestamptz,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (person_id, grant_id)
);
-- "My patients": the only question about grants that is not about one person.
CREATE INDEX access_grant_holder ON access_grant (holder_id) WHERE revoked_at IS NULL;

CREATE TABLE access_block (
    person_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    subject_kind text NOT NULL,
    subject text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (person_id, subject_id)
);

-- Presence codes, looked up by whoever enters one: only their SHA-256 is kept.
CREATE TABLE access_code (
    code_hash bytea PRIMARY KEY,
    person_id uuid NOT NULL,
    lasts interval NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX access_code_expiry ON access_code (expires_at);

-- Attempts in a window of time, by requester and by origin.
CREATE TABLE access_attempt (
    subject text NOT NULL,
    window_start timestamptz NOT NULL,
    attempts integer NOT NULL,
    PRIMARY KEY (subject, window_start)
);

-- The operators' queue of emergencies to review.
CREATE TABLE access_review (
    grant_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    practitioner text NOT NULL,
    organization text NOT NULL,
    reason text NOT NULL,
    declared_at timestamptz NOT NULL,
    reviewed_at timestamptz,
    reviewer text NOT NULL DEFAULT '',
    verdict text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT ''
);
CREATE INDEX access_review_queue ON access_review ((reviewed_at IS NOT NULL), grant_id);

-- Bearer tokens: only their SHA-256 is kept.
CREATE TABLE access_token (
    token_hash bytea PRIMARY KEY,
    principal jsonb NOT NULL,
    scopes text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX access_token_expiry ON access_token (expires_at);

-- Software that may sign in by SMART Backend Services, with its public keys (a JWK set).
CREATE TABLE software_client (
    client_id text PRIMARY KEY,
    name text NOT NULL,
    organization_id uuid NOT NULL,
    jwks jsonb NOT NULL,
    scopes text NOT NULL,
    disabled boolean NOT NULL DEFAULT false
);

-- Client assertions that were used: none is taken twice.
CREATE TABLE access_assertion (
    client_id text NOT NULL,
    jti_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
);
CREATE INDEX access_assertion_expiry ON access_assertion (expires_at);
