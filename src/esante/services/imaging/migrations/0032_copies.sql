-- Copies of images without identity for secondary use: what for and by which permit, of which studies (Study UIDs, one on a
-- line), proposed by one operator and decided by another. `uid_key`: the key of its UIDs and pseudonyms. `instances`:
-- how many were copied, `flagged`: of these, to be looked at first, `left_out`: not copied.
CREATE TABLE imaging_copy (
    copy_id uuid NOT NULL PRIMARY KEY,
    purpose text NOT NULL,
    permit text NOT NULL,
    study_uids text NOT NULL,
    uid_key bytea NOT NULL,
    state text NOT NULL,
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL,
    proposer text NOT NULL,
    decided_at timestamptz,
    decider text NOT NULL,
    made_at timestamptz,
    instances integer NOT NULL,
    flagged integer NOT NULL,
    left_out integer NOT NULL
);
