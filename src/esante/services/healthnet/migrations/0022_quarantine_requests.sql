-- Quarantines that somebody else asks for, such as the SOC: a network operator decides. `request_id`: of who asks.
CREATE TABLE healthnet_quarantine_request (
    request_id uuid NOT NULL,
    site text NOT NULL,
    reason text NOT NULL,
    asked_by text NOT NULL,
    asked_by_id uuid,
    asked_at timestamptz NOT NULL,
    state text NOT NULL,
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz,
    PRIMARY KEY (request_id, site)
);
CREATE INDEX healthnet_quarantine_request_state ON healthnet_quarantine_request (state, asked_at);
-- Until which hour flows, and until which anomaly events, were given to the SOC.
CREATE TABLE healthnet_soc_cursor (
    kind text PRIMARY KEY,
    until timestamptz NOT NULL
);
