-- Persons whom no statistics count, since they do not exist. Written before the person is in the directory, never deleted.
CREATE TABLE uncounted_person (
    person_id uuid PRIMARY KEY
);
