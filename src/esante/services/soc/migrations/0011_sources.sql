-- Sources of a member: what sends events. `expected_every`: how often at least something comes; null: nothing is expected. An ended source has none, and no valid key.
CREATE TABLE soc_source (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    source_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    expected_every interval,
    last_event_at timestamptz,
    events bigint NOT NULL DEFAULT 0,
    faults bigint NOT NULL DEFAULT 0,
    added_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, source_id)
);
CREATE UNIQUE INDEX soc_source_name ON soc_source (tenant_id, lower(name)) WHERE ended_at IS NULL;

-- Keys of sources. `hash`: SHA-256 of a bearer key, or of a client certificate in DER, which `certificate` holds then.
CREATE TABLE soc_key (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    source_id uuid NOT NULL,
    key_id uuid PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    certificate bytea,
    added_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    FOREIGN KEY (tenant_id, source_id) REFERENCES soc_source
);
CREATE INDEX soc_key_source ON soc_key (tenant_id, source_id);

-- What each member may still send, shared by all intake processes; `granted`: whether the last request was. After a crash it begins anew.
CREATE UNLOGGED TABLE soc_allowance (
    tenant_id uuid PRIMARY KEY,
    tokens double precision NOT NULL,
    granted boolean NOT NULL,
    at timestamptz NOT NULL
);
