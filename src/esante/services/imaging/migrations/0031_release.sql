-- Studies that were withheld from their patient, and until when (a release sets that to its own moment); `by`: who set it.
CREATE TABLE imaging_release (
    person_id uuid NOT NULL,
    study_uid text NOT NULL,
    withheld_until timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    set_by text NOT NULL,
    PRIMARY KEY (person_id, study_uid)
);
