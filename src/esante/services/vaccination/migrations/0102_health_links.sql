-- SMART Health Links that persons made. The server has neither the address (`address_hash` is its SHA-256) nor the key of
-- the files nor the PIN (`pin_hash`: scrypt).
CREATE TABLE health_link (
    address_hash bytea PRIMARY KEY,
    person_id uuid NOT NULL,
    link_id uuid NOT NULL,
    label text NOT NULL,
    doses integer NOT NULL,
    pin_hash bytea NOT NULL,
    attempts_left integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_cause text NOT NULL DEFAULT '',
    openings integer NOT NULL DEFAULT 0,
    opened_at timestamptz
);
CREATE INDEX health_link_person ON health_link (person_id, created_at);
CREATE INDEX health_link_end ON health_link (expires_at) WHERE ended_at IS NULL;

-- The encrypted files of a link (JWE), until it ends.
CREATE TABLE health_link_file (
    address_hash bytea NOT NULL REFERENCES health_link ON DELETE CASCADE,
    position integer NOT NULL,
    content_type text NOT NULL,
    jwe text NOT NULL,
    PRIMARY KEY (address_hash, position)
);

-- Addresses of single files for software that takes no embedded ones: each works once, for a short time.
CREATE TABLE health_link_location (
    token_hash bytea PRIMARY KEY,
    address_hash bytea NOT NULL REFERENCES health_link ON DELETE CASCADE,
    position integer NOT NULL,
    expires_at timestamptz NOT NULL
);
