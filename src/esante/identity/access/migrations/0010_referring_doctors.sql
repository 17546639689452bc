-- The referring doctors of each person: repeats the directory, so that a decision reads one row set of the person.
CREATE TABLE access_referring_doctor (
    person_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    since date NOT NULL,
    until date,
    PRIMARY KEY (person_id, practitioner_id, since)
);
