-- Oppositions of a person: against the deposit of documents about given care (`against` 'deposit'), or against parents and
-- guardians being told of given care or of a document ('representatives'). About care by a professional or organisation on
-- some days (a class of documents, '' all), or about one document with its versions. `on_word`: a professional recorded what
-- the person said. An opposition that was lifted stays.
CREATE TABLE access_opposition (
    person_id uuid NOT NULL,
    opposition_id uuid NOT NULL,
    against text NOT NULL,
    depositor_id uuid,
    depositor_kind text NOT NULL DEFAULT '',
    depositor text NOT NULL DEFAULT '',
    document_class text NOT NULL DEFAULT '',
    care_from date,
    care_until date,
    series_id uuid,
    on_word boolean NOT NULL,
    recorder text NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (person_id, opposition_id),
    CHECK ((series_id IS NULL) = (depositor_id IS NOT NULL AND care_from IS NOT NULL AND care_until IS NOT NULL))
);

-- Who acts for a person, as what, by which act, from when until when. Days are inclusive.
CREATE TABLE access_representation (
    person_id uuid NOT NULL,
    representation_id uuid NOT NULL,
    kind text NOT NULL,
    representative_id uuid NOT NULL,
    representative text NOT NULL,
    act text NOT NULL,
    since date NOT NULL,
    until date,
    recorder_kind text NOT NULL,
    recorder_id uuid NOT NULL,
    recorder text NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (person_id, representation_id),
    CHECK (representative_id <> person_id)
);

-- What professionals stated about a person's capacity: admitted to act alone ('discernment'), or unable to act
-- ('incapacity'). `classes`: the document classes that it is about, separated by spaces ('' everything).
CREATE TABLE access_capacity (
    person_id uuid NOT NULL,
    capacity_id uuid NOT NULL,
    kind text NOT NULL,
    classes text NOT NULL,
    reason text NOT NULL,
    since date NOT NULL,
    until date,
    recorder_id uuid NOT NULL,
    recorder text NOT NULL,
    organization text NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (person_id, capacity_id)
);
