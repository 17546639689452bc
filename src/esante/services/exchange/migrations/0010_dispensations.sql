-- Dispensations from abroad and what took them back: one row for each answer that was given, for ever.
CREATE TABLE exchange_dispensation (
    person_id uuid NOT NULL,
    -- SHA-256 of the document id and the prescription id.
    key bytea NOT NULL,
    -- dispensation or discard.
    kind text NOT NULL,
    document_id text NOT NULL,
    -- The document with the prescription.
    prescription_id uuid NOT NULL,
    -- How often dispensations of the prescription had been taken back before.
    round integer NOT NULL,
    -- "" for taken, else the code of the refusal.
    outcome text NOT NULL,
    -- The document in the record; nil where it was refused.
    record_id uuid NOT NULL,
    country text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (person_id, key, kind)
);
CREATE UNIQUE INDEX exchange_dispensation_once ON exchange_dispensation (person_id, prescription_id, round)
    WHERE kind = 'dispensation' AND outcome = '';
