-- What the counters of a member's sources stood at when they were last read.
CREATE TABLE soc_event_count (
    tenant_id uuid PRIMARY KEY REFERENCES soc_tenant ON DELETE CASCADE,
    events bigint NOT NULL,
    faults bigint NOT NULL
);
-- Events by quarter of an hour, for plots; the member with the key of zeros: all together.
CREATE TABLE soc_event_rate (
    tenant_id uuid NOT NULL,
    quarter timestamptz NOT NULL,
    events bigint NOT NULL,
    faults bigint NOT NULL,
    PRIMARY KEY (tenant_id, quarter)
);
CREATE INDEX soc_event_rate_quarter ON soc_event_rate (quarter);
