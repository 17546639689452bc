-- Events that met rules which are correlated. `fields`: what correlations look at, JSON. `processed`: in which order they were; null: not yet.
CREATE TABLE soc_hit (
    hit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    rule text NOT NULL,
    event_id uuid NOT NULL,
    event_key text NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    fields bytea NOT NULL,
    processed bigint
);
CREATE INDEX soc_hit_waiting ON soc_hit (hit_id) WHERE processed IS NULL;
CREATE INDEX soc_hit_processed ON soc_hit (processed);
CREATE INDEX soc_hit_received ON soc_hit USING brin (received_at);
