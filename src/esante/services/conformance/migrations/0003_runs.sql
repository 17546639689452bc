-- Runs of kits on the platform. `options`: those that are no secret, as JSON. `beat_at`: when the process that runs it
-- last said so; a run that is silent was interrupted. `report`: the signed report (JWS) of a run that ended.
CREATE TABLE conformance_run (
    run_id uuid PRIMARY KEY,
    vendor_id uuid NOT NULL REFERENCES conformance_vendor,
    kit text NOT NULL,
    kit_version text NOT NULL,
    target text NOT NULL,
    options text NOT NULL,
    state text NOT NULL,
    done integer NOT NULL,
    total integer NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    ended_at timestamptz,
    passed boolean NOT NULL,
    report text NOT NULL,
    CHECK ((state = 'ended') = (report <> '')),
    CHECK (passed <= (state = 'ended'))
);
CREATE UNIQUE INDEX conformance_run_running ON conformance_run (vendor_id) WHERE state = 'running';
CREATE INDEX conformance_run_vendor ON conformance_run (vendor_id, run_id);
-- Links to reports; `code_hash` is the SHA-256 of the code in the link.
CREATE TABLE conformance_run_link (
    link_id uuid PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES conformance_run,
    code_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX conformance_run_link_run ON conformance_run_link (run_id);
