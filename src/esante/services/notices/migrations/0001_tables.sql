-- What a person is told of. notice_id is the id of the journal entry it was made from, so one entry makes one.
CREATE TABLE notice (
    person_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    categories text NOT NULL,
    document_id uuid,
    read_at timestamptz,
    PRIMARY KEY (person_id, notice_id)
);
CREATE INDEX notice_unread ON notice (person_id, notice_id) WHERE read_at IS NULL;
