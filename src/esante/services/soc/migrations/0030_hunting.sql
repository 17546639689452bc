-- Files of events of past days. `writing`: may or may not be in the object store; `complete`: the database has the events too;
-- `final`: it has not; `removing`: not in use any more.
CREATE TABLE soc_archive_file (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    file_id uuid NOT NULL,
    day date NOT NULL,
    state text NOT NULL CHECK (state IN ('writing', 'complete', 'final', 'removing')),
    rows bigint NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    first_at timestamptz,
    last_at timestamptz,
    archived_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, file_id)
);
CREATE UNIQUE INDEX soc_archive_day ON soc_archive_file (tenant_id, day) WHERE state = 'complete';
CREATE INDEX soc_archive_unfinished ON soc_archive_file (archived_at) WHERE state IN ('writing', 'removing');

-- Hunts that are kept; `tenant_id` is null for those of the agency over all members.
CREATE TABLE soc_hunt (
    hunt_id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES soc_tenant,
    name text NOT NULL,
    days integer NOT NULL CHECK (days > 0),
    hunt jsonb NOT NULL,
    saved_by text NOT NULL,
    saved_at timestamptz NOT NULL
);
CREATE INDEX soc_hunt_tenant ON soc_hunt (tenant_id);

-- Runs of hunts with what they found: counts by hour, and the newest matches.
CREATE TABLE soc_hunt_run (
    run_id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES soc_tenant,
    owner_id uuid NOT NULL,
    owner text NOT NULL,
    name text NOT NULL,
    hunt jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    rows_done bigint NOT NULL,
    rows_total bigint NOT NULL,
    matches bigint NOT NULL,
    failure text NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX soc_hunt_run_tenant ON soc_hunt_run (tenant_id, run_id);
CREATE INDEX soc_hunt_run_running ON soc_hunt_run (beat_at) WHERE state = 'running';
CREATE TABLE soc_hunt_hour (
    run_id uuid NOT NULL REFERENCES soc_hunt_run ON DELETE CASCADE,
    hour timestamptz NOT NULL,
    matches bigint NOT NULL,
    PRIMARY KEY (run_id, hour)
);
CREATE TABLE soc_hunt_match (
    run_id uuid NOT NULL REFERENCES soc_hunt_run ON DELETE CASCADE,
    place integer NOT NULL,
    tenant_id uuid NOT NULL,
    event_id text NOT NULL,
    at timestamptz NOT NULL,
    event text NOT NULL,
    PRIMARY KEY (run_id, place)
);
CREATE INDEX soc_hunt_match_tenant ON soc_hunt_match (tenant_id);
