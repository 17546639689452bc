-- When a source is expected to send, as minutes of the week from Monday 00:00 in the country's zone; none: always.
CREATE TABLE soc_source_hours (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    begins integer NOT NULL CHECK (begins >= 0),
    ends integer NOT NULL CHECK (ends > begins AND ends <= 10080),
    PRIMARY KEY (tenant_id, source_id, begins),
    FOREIGN KEY (tenant_id, source_id) REFERENCES soc_source
);
-- Silences of sources: from the last event to the next. `alert_id`: the alert that they raised.
CREATE TABLE soc_silence (
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    since timestamptz NOT NULL,
    alert_id uuid,
    noticed_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, source_id, since),
    FOREIGN KEY (tenant_id, source_id) REFERENCES soc_source
);
CREATE UNIQUE INDEX soc_silence_open ON soc_silence (tenant_id, source_id) WHERE ended_at IS NULL;
