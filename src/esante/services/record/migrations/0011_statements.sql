-- From which day on a person is asked again to state something (a kind of statement), 'infinity' where they answered.
CREATE TABLE statement_question (
    person_id uuid NOT NULL,
    kind text NOT NULL,
    ask_on date NOT NULL,
    PRIMARY KEY (person_id, kind)
);
