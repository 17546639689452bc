-- Measures of sites (`other` empty) and of their paths, as sums by hour and by day (`span`); times in milliseconds.
CREATE TABLE healthnet_measure (
    site text NOT NULL,
    span text NOT NULL,
    other text NOT NULL,
    starts timestamptz NOT NULL,
    reports integer NOT NULL,
    latency_sum double precision NOT NULL,
    latency_count integer NOT NULL,
    latency_max real NOT NULL,
    loss_sum double precision NOT NULL,
    loss_count integer NOT NULL,
    received bigint NOT NULL,
    sent bigint NOT NULL,
    PRIMARY KEY (site, span, other, starts)
);
CREATE INDEX healthnet_measure_sites ON healthnet_measure (span, starts) WHERE other = '';
CREATE INDEX healthnet_measure_age ON healthnet_measure USING brin (starts);

-- What was not as it should be. `other`: the site at the end of the path, empty for the site itself.
CREATE TABLE healthnet_anomaly (
    anomaly_id uuid PRIMARY KEY,
    site text NOT NULL,
    other text NOT NULL,
    rule text NOT NULL,
    level integer NOT NULL,
    value double precision NOT NULL,
    began_at timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX healthnet_anomaly_open ON healthnet_anomaly (site, other, rule) WHERE ended_at IS NULL;
CREATE INDEX healthnet_anomaly_site ON healthnet_anomaly (site, rule, began_at);
CREATE INDEX healthnet_anomaly_ended ON healthnet_anomaly (ended_at);

-- The times in which the network was watched, each by one process: what lies between was not measured.
CREATE TABLE healthnet_watch (
    watch_id uuid PRIMARY KEY,
    began_at timestamptz NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX healthnet_watch_until ON healthnet_watch (until);

-- Works that were announced: of a site, or of the whole network (`site` empty).
CREATE TABLE healthnet_planned_work (
    work_id uuid PRIMARY KEY,
    site text NOT NULL,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    reason text NOT NULL,
    announced_by text NOT NULL,
    announced_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CHECK (begins_at < ends_at)
);
CREATE INDEX healthnet_planned_work_ends ON healthnet_planned_work (ends_at);
