-- Indicators of compromise that feeds gave, by feed, its key for them, and value. `valid_until` null: until revoked.
CREATE TABLE soc_indicator (
    indicator_id uuid NOT NULL UNIQUE,
    feed text NOT NULL,
    reference text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ip', 'network', 'domain', 'url', 'hash', 'email')),
    value text NOT NULL,
    tlp text NOT NULL CHECK (tlp IN ('clear', 'green', 'amber', 'amber+strict', 'red')),
    confidence smallint NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    title text NOT NULL,
    revoked boolean NOT NULL,
    added_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (feed, reference, kind, value)
);
CREATE INDEX soc_indicator_value ON soc_indicator (value);
CREATE INDEX soc_indicator_changed ON soc_indicator (changed_at, indicator_id);

-- How the last reading of a feed went. `marker`: where the next one goes on. `skipped`: entries left out, by reason.
CREATE TABLE soc_feed_state (
    feed text PRIMARY KEY,
    read_at timestamptz,
    tried_at timestamptz NOT NULL,
    marker text NOT NULL,
    failure text NOT NULL,
    skipped jsonb NOT NULL
);

-- Events that hit an indicator: so many of each indicator and day as are kept, and how many there were.
CREATE TABLE soc_indicator_match (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    indicator_id uuid NOT NULL,
    event_id text NOT NULL,
    day date NOT NULL,
    at timestamptz NOT NULL,
    observed text NOT NULL,
    PRIMARY KEY (tenant_id, indicator_id, event_id)
);
CREATE INDEX soc_indicator_match_indicator ON soc_indicator_match (indicator_id, at);
CREATE TABLE soc_indicator_day (
    indicator_id uuid NOT NULL,
    day date NOT NULL,
    kept integer NOT NULL,
    dropped bigint NOT NULL,
    alerts integer NOT NULL,
    PRIMARY KEY (indicator_id, day)
);

-- Searches of new indicators in the past: the indicators that were added until `until` have been looked for.
CREATE TABLE soc_past_search (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    until timestamptz NOT NULL
);
