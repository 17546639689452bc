-- Two entries of one person, as two operators decided: `losing_id` leads to `surviving_id` while the state is "merged".
-- Nothing else is changed by a merge, so that its end leaves every row and every byte as it was.
CREATE SEQUENCE directory_merge_version;
CREATE TABLE directory_merge (
    merge_id uuid PRIMARY KEY,
    losing_id uuid NOT NULL,
    surviving_id uuid NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL,
    proposer text NOT NULL,
    decided_at timestamptz,
    decided_by uuid,
    decider text NOT NULL DEFAULT '',
    decision_reason text NOT NULL DEFAULT '',
    undone_at timestamptz,
    undone_by uuid,
    undoer text NOT NULL DEFAULT '',
    undo_reason text NOT NULL DEFAULT '',
    version bigint NOT NULL
);
CREATE INDEX directory_merge_losing ON directory_merge (losing_id);
CREATE INDEX directory_merge_surviving ON directory_merge (surviving_id);
CREATE INDEX directory_merge_version_of ON directory_merge (version);
