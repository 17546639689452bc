-- Links by which persons show a study to somebody without an account. The server has neither the address
-- (`address_hash`: its SHA-256) nor the PIN (`pin_hash`: scrypt). `end_cause`: patient, attempts, "" while it works.
CREATE TABLE imaging_share (
    address_hash bytea NOT NULL PRIMARY KEY,
    person_id uuid NOT NULL,
    share_id uuid NOT NULL,
    study_uid text NOT NULL,
    label text NOT NULL,
    downloads boolean NOT NULL,
    pin_hash bytea NOT NULL,
    attempts_left integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_cause text NOT NULL DEFAULT '',
    openings integer NOT NULL DEFAULT 0,
    opened_at timestamptz
);
CREATE INDEX imaging_share_person ON imaging_share (person_id, study_uid, created_at);

-- Who has opened a link with its PIN, until `expires_at`; `series`: what they
-- have opened since, as form:UID.
CREATE TABLE imaging_share_visit (
    visit_hash bytea NOT NULL PRIMARY KEY,
    address_hash bytea NOT NULL REFERENCES imaging_share ON DELETE CASCADE,
    recipient text NOT NULL,
    expires_at timestamptz NOT NULL,
    series text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX imaging_share_visit_end ON imaging_share_visit (expires_at);
