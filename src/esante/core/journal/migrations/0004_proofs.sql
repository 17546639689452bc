-- Proofs that are made in the background, one for each person at most. `size`: the tree they are made in, once it is
-- chosen; `count`: how many entries the person has in it; `entries`, `expiry_id`: how far the file is written.
-- `turn_at`: when a proof is worked on next, the longest waiting first.
CREATE TABLE journal_proof (
    person_id uuid PRIMARY KEY,
    job_id uuid NOT NULL UNIQUE,
    state text NOT NULL,
    asked_at timestamptz NOT NULL,
    turn_at timestamptz NOT NULL,
    size bigint,
    count bigint NOT NULL DEFAULT 0,
    entries bigint,
    expiry_id uuid,
    segments integer NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    ended_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX journal_proof_turn ON journal_proof (turn_at) WHERE state = 'running';
CREATE INDEX journal_proof_expiry ON journal_proof (expires_at);
