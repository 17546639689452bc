-- Coverage at the end of each month, exact and for the platform only: what is shown is protected (core.disclosure).
-- `persons` are those of a year of birth in a canton, `given` those of them with a dose, `valid` those who are up to date
-- by valid doses; the keys are sums of the keys of these persons.
CREATE TABLE vaccination_coverage (
    month date NOT NULL,
    antigen text NOT NULL,
    birth_year integer NOT NULL,
    canton text NOT NULL,
    persons integer NOT NULL,
    given integer NOT NULL,
    valid integer NOT NULL,
    persons_key numeric NOT NULL,
    given_key numeric NOT NULL,
    valid_key numeric NOT NULL,
    counted_at timestamptz NOT NULL,
    PRIMARY KEY (month, antigen, birth_year, canton)
);

-- What a new calendar (`texts`: its files, JSON) would change: a job, and its exact result, which is shown protected.
CREATE TABLE vaccination_calendar_trial (
    trial_id uuid PRIMARY KEY,
    texts text NOT NULL,
    name text NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    done integer NOT NULL DEFAULT 0,
    total integer NOT NULL DEFAULT 0,
    taken_until timestamptz,
    after uuid,
    ended_at timestamptz,
    error text NOT NULL DEFAULT '',
    result text NOT NULL DEFAULT ''
);
