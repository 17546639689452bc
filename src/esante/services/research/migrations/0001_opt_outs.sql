-- Times in which data of a person are not used for secondary purposes (Article 71); `until` is null while it lasts.
CREATE TABLE research_opt_out (
    person_id uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    PRIMARY KEY (person_id, since),
    CHECK (until IS NULL OR until >= since)
);
CREATE UNIQUE INDEX research_opt_out_open ON research_opt_out (person_id) WHERE until IS NULL;
