-- Studies, series and instances of a person, as stored from DICOM. `document_series_id`: the document of the record that
-- stands for the study, in all its versions; who may see that sees the study. `attributes`: DICOM JSON of the level.
CREATE TABLE imaging_study (
    person_id uuid NOT NULL,
    study_uid text NOT NULL,
    document_series_id uuid NOT NULL,
    depositor_id uuid NOT NULL,
    study_on date,
    accession_number text NOT NULL,
    attributes bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, study_uid)
);
CREATE INDEX imaging_study_document ON imaging_study (person_id, document_series_id);

CREATE TABLE imaging_series (
    person_id uuid NOT NULL,
    series_uid text NOT NULL,
    study_uid text NOT NULL,
    modality text NOT NULL,
    attributes bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, series_uid)
);
CREATE INDEX imaging_series_study ON imaging_series (person_id, study_uid);

-- `object_name`, `object_offset`, `size`: where the bytes as received lie in the object store; `sha256` is theirs.
-- `metadata`: DICOM JSON of the header, compressed; `frames`: the index of the frames (ingest/frames.py).
CREATE TABLE imaging_instance (
    person_id uuid NOT NULL,
    instance_uid text NOT NULL,
    series_uid text NOT NULL,
    study_uid text NOT NULL,
    sop_class_uid text NOT NULL,
    transfer_syntax_uid text NOT NULL,
    instance_number integer,
    attributes bytea NOT NULL,
    metadata bytea NOT NULL,
    frames bytea NOT NULL,
    object_name text NOT NULL,
    object_offset bigint NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, instance_uid)
);
CREATE INDEX imaging_instance_series ON imaging_instance (person_id, study_uid, series_uid, instance_uid);

-- Whose study it is, over all persons: a Study Instance UID is used once.
CREATE TABLE imaging_study_person (
    study_uid text NOT NULL PRIMARY KEY,
    person_id uuid NOT NULL,
    document_series_id uuid NOT NULL
);

-- Instances that were not taken in, for operators. The UIDs are as the file has them, "" where it has none;
-- `object_name`: where its bytes are kept, "" where they are not. `person_id`: for whom it was sent; null: nobody known.
CREATE TABLE imaging_quarantine (
    quarantine_id uuid NOT NULL PRIMARY KEY,
    received_at timestamptz NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    person_id uuid,
    depositor_id uuid NOT NULL,
    depositor text NOT NULL,
    study_uid text NOT NULL,
    instance_uid text NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    object_name text NOT NULL
);
CREATE INDEX imaging_quarantine_kept ON imaging_quarantine (received_at) WHERE object_name <> '';

-- Objects that no instance has any more, removed some days after `since`: for a copy of the database made before.
CREATE TABLE imaging_object_removal (
    object_name text NOT NULL PRIMARY KEY,
    since timestamptz NOT NULL
);
CREATE INDEX imaging_object_removal_since ON imaging_object_removal (since);
