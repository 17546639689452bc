-- How contacts are reached, and in which language; '': they get no message.
ALTER TABLE soc_contact ADD COLUMN email text NOT NULL DEFAULT '', ADD COLUMN language text NOT NULL DEFAULT 'fr';
-- Messages to contacts that a case needs them: one of a kind for a case and a contact. `next_at`: when it is tried (again); null: no more.
CREATE TABLE soc_message (
    message_id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES soc_case ON DELETE CASCADE,
    tenant_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('steps', 'late')),
    created_at timestamptz NOT NULL,
    tries integer NOT NULL,
    next_at timestamptz,
    sent_at timestamptz,
    failure text NOT NULL,
    UNIQUE (case_id, practitioner_id, kind)
);
CREATE INDEX soc_message_due ON soc_message (next_at) WHERE next_at IS NOT NULL;
