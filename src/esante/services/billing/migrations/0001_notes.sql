-- Fee notes, each once for a person; `body` is the note in national XML, in `object_sha256` where it is large. `status`: active,
-- cancelled, replaced. `biller_id`: the practitioner whose provider code it carries. `total`: the sum of the gross amounts.
CREATE TABLE billing_note (
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    provider_code text NOT NULL,
    biller_id uuid NOT NULL,
    biller text NOT NULL,
    organization_id uuid,
    channel text NOT NULL,
    status text NOT NULL,
    issued_on date NOT NULL,
    received_at timestamptz NOT NULL,
    total numeric(12, 2) NOT NULL,
    settled boolean NOT NULL,
    replaces_id uuid,
    replaced_by_id uuid,
    body bytea,
    object_sha256 bytea,
    PRIMARY KEY (person_id, note_id),
    CHECK ((body IS NULL) <> (object_sha256 IS NULL))
);
CREATE INDEX billing_note_received ON billing_note (person_id, received_at, note_id);

-- The notes of each biller, over all persons: a UUID is used once by a biller.
CREATE TABLE billing_biller_note (
    provider_code text NOT NULL,
    note_id uuid NOT NULL,
    person_id uuid NOT NULL,
    biller_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider_code, note_id)
);
CREATE INDEX billing_biller_note_received ON billing_biller_note (biller_id, received_at, note_id);

-- The acts of notes that are not cancelled, for rules that look back (frequency, cumulation of a day).
CREATE TABLE billing_act (
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    line integer NOT NULL,
    code text NOT NULL,
    on_day date NOT NULL,
    provider_code text NOT NULL,
    quantity integer NOT NULL,
    hospital_class text NOT NULL,
    PRIMARY KEY (person_id, note_id, line)
);
CREATE INDEX billing_act_day ON billing_act (person_id, on_day);
