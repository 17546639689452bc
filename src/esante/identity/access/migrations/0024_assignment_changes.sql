-- A proposal may be withdrawn until it is confirmed; it stays in the list.
ALTER TABLE access_assignment
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN withdrawn_by uuid,
    ADD COLUMN withdrawer text NOT NULL DEFAULT '',
    ADD COLUMN withdrawal_reason text NOT NULL DEFAULT '',
    ADD CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
    ADD CHECK (withdrawn_at IS NULL OR confirmed_at IS NULL);

-- Counts of the documents of each class and of the persons they are about, for simulations: made in the background, person
-- by person, so that `after` and `done` say how far one is. One runs at a time.
CREATE TABLE access_document_count (
    count_id uuid PRIMARY KEY,
    asked_at timestamptz NOT NULL,
    total bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    counts jsonb NOT NULL DEFAULT '{}',
    ended_at timestamptz
);
CREATE UNIQUE INDEX access_document_count_running ON access_document_count ((ended_at IS NULL)) WHERE ended_at IS NULL;
