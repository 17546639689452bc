-- The doses of persons' cards, each once whatever records it has, as the platform itself sees them: for recalls and
-- coverage. `lot` is without blanks and punctuation, in capitals. Worked out again from the resources of the record; whoever shows doses to somebody reads the record.
CREATE TABLE vaccination_dose (
    person_id uuid NOT NULL,
    dose_id uuid NOT NULL,
    occurred text NOT NULL,
    given_on date,
    product text NOT NULL,
    cvx text NOT NULL,
    antigens text NOT NULL,
    lot text NOT NULL,
    gtin text NOT NULL,
    given_here boolean NOT NULL,
    confirmed boolean NOT NULL,
    author_id uuid NOT NULL,
    organization_id uuid,
    PRIMARY KEY (person_id, dose_id)
);
CREATE INDEX vaccination_dose_lot ON vaccination_dose (product, lot);

-- The packs that doses came from: a hash of product and serial number, without persons.
CREATE TABLE vaccination_pack (
    pack bytea NOT NULL,
    dose_id uuid NOT NULL,
    PRIMARY KEY (pack, dose_id)
);
CREATE INDEX vaccination_pack_dose ON vaccination_pack (dose_id);

-- Persons whose card has changed since their doses and documents were made. `mark` changes with each change; who works
-- on a person has them until `taken_until`.
CREATE TABLE vaccination_due (
    person_id uuid PRIMARY KEY,
    mark uuid NOT NULL,
    due_at timestamptz NOT NULL,
    taken_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT ''
);
CREATE INDEX vaccination_due_turn ON vaccination_due (due_at);

-- The documents in a person's record that hold their vaccination history, and a digest of what they say.
CREATE TABLE vaccination_history (
    person_id uuid PRIMARY KEY,
    digest bytea NOT NULL,
    bundle_id uuid NOT NULL,
    pdf_id uuid NOT NULL,
    compiled_at timestamptz NOT NULL
);

-- Recalls that a person was notified of.
CREATE TABLE vaccination_recall (
    person_id uuid NOT NULL,
    dose_id uuid NOT NULL,
    recalled_on date NOT NULL,
    PRIMARY KEY (person_id, dose_id, recalled_on)
);
