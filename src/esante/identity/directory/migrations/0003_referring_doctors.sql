-- Who is whose referring doctor, from a day until another (exclusive); NULL: it goes on.
CREATE TABLE directory_referring_doctor (
    person_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    since date NOT NULL,
    until date,
    PRIMARY KEY (person_id, practitioner_id, since)
);
