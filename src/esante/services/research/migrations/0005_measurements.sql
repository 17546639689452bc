-- Measurements of the datasets, for the catalogue: `figures` is an object by "dataset.table"; `place`: after which person
-- the next step begins, null once it is done.
CREATE TABLE research_measurement (
    measurement_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    place uuid,
    persons_done bigint NOT NULL,
    persons_total bigint NOT NULL,
    persons bigint NOT NULL,
    figures jsonb NOT NULL,
    CHECK ((ended_at IS NULL) = (place IS NOT NULL))
);
CREATE UNIQUE INDEX research_measurement_running ON research_measurement ((true)) WHERE ended_at IS NULL;
