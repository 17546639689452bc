CREATE TABLE appointment (
    person_id uuid NOT NULL, appointment_id uuid NOT NULL, starts_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, appointment_id));
