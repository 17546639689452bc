-- Notices that go out as letters, because the person never signed in: waiting until an operator takes them in a batch.
CREATE TABLE notice_letter (
    notice_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    categories text NOT NULL,
    batch_id uuid,
    taken_at timestamptz,
    taken_by text NOT NULL DEFAULT ''
);
CREATE INDEX notice_letter_waiting ON notice_letter (notice_id) WHERE batch_id IS NULL;
CREATE INDEX notice_letter_batch ON notice_letter (batch_id, notice_id) WHERE batch_id IS NOT NULL;
CREATE INDEX notice_letter_person ON notice_letter (person_id);
