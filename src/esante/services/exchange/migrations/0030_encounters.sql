-- Encounters of professionals with patients from abroad (country B). The patients are not persons of the directory.
CREATE TABLE exchange_encounter (
    encounter_id uuid PRIMARY KEY,
    country text NOT NULL,
    practitioner_id uuid NOT NULL,
    practitioner text NOT NULL,
    organization_id uuid,
    organization text NOT NULL,
    began_at timestamptz NOT NULL
);
CREATE INDEX exchange_encounter_of_practitioner ON exchange_encounter (practitioner_id, encounter_id DESC);

-- The steps of an encounter, in their order; a step is never changed. What they say of a patient, and documents, are
-- deleted when the encounter ends.
CREATE TABLE exchange_step (
    encounter_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    label text NOT NULL,
    content text NOT NULL,
    document bytea NOT NULL,
    is_end boolean NOT NULL,
    PRIMARY KEY (encounter_id, number)
);
CREATE INDEX exchange_step_end ON exchange_step (encounter_id) WHERE is_end;
