-- Runs of the tests that an operator recorded as evidence; `outcomes`: JSON, of each test that shows a requirement.
CREATE TABLE ehds_test_run (
    run_id uuid PRIMARY KEY,
    ran_at timestamptz NOT NULL,
    revision text NOT NULL,
    outcomes bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL
);
CREATE INDEX ehds_test_run_recorded_at ON ehds_test_run (recorded_at DESC, run_id DESC);
