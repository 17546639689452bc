-- What forecasts, coverage and recalls need of a dose beside what is there: whether everybody with access sees it, and
-- when its lot expired. A lot is searched for without its product.
ALTER TABLE vaccination_dose
    ADD COLUMN public boolean NOT NULL DEFAULT true,
    ADD COLUMN expires_on date;
DROP INDEX vaccination_dose_lot;
CREATE INDEX vaccination_dose_lot ON vaccination_dose (lot, person_id) WHERE lot <> '';
INSERT INTO vaccination_due (person_id, mark, due_at)
    SELECT DISTINCT person_id, gen_random_uuid(), now() FROM vaccination_dose
    ON CONFLICT (person_id) DO UPDATE SET mark = excluded.mark;

-- Contraindications, as far as the calendar knows them.
CREATE TABLE vaccination_observation (
    person_id uuid NOT NULL,
    code text NOT NULL,
    since date,
    until date,
    public boolean NOT NULL
);
CREATE INDEX vaccination_observation_person ON vaccination_observation (person_id);

-- Every living person with an open record: by which rules their forecast was made, and the day on which it must be made
-- again. `mark` changes with each change of the person; who works on them has them until `taken_until`. `restricted`:
-- some doses are not for everybody with access. `reachable`: reminders make sense, because the card holds something or
-- the person is young. `unit_key` is the person's part of the keys of cells (core.disclosure).
CREATE TABLE vaccination_forecast (
    person_id uuid PRIMARY KEY,
    mark uuid NOT NULL,
    refresh_on date NOT NULL DEFAULT '-infinity',
    rules text NOT NULL DEFAULT '',
    taken_until timestamptz,
    restricted boolean NOT NULL DEFAULT false,
    reachable boolean NOT NULL DEFAULT false,
    birth_year integer,
    canton text NOT NULL DEFAULT '',
    unit_key bigint NOT NULL DEFAULT 0
);
CREATE INDEX vaccination_forecast_refresh ON vaccination_forecast (refresh_on);
CREATE INDEX vaccination_forecast_rules ON vaccination_forecast (rules);

-- How a person stands with an antigen: doses given, doses that count, whether the series is complete, the next dose.
-- `basis` is 'all' doses, or 'public' for persons of whom some are restricted: what others are shown.
CREATE TABLE vaccination_standing (
    person_id uuid NOT NULL,
    basis text NOT NULL,
    antigen text NOT NULL,
    given integer NOT NULL,
    valid integer NOT NULL,
    complete boolean NOT NULL,
    due_on date,
    overdue_on date,
    dose_number integer NOT NULL,
    PRIMARY KEY (person_id, basis, antigen)
);
CREATE INDEX vaccination_standing_due ON vaccination_standing (due_on) WHERE due_on IS NOT NULL;

-- The doses that a person was reminded of, and persons who want no reminders.
CREATE TABLE vaccination_reminder (
    person_id uuid NOT NULL,
    antigen text NOT NULL,
    dose_number integer NOT NULL,
    due_on date NOT NULL,
    reminded_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, antigen, dose_number, due_on)
);
CREATE TABLE vaccination_reminder_refusal (
    person_id uuid PRIMARY KEY,
    since timestamptz NOT NULL
);
