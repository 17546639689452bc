-- Which members saw an observable on a day, under a keyed hash of it: without the agency's key it says nothing.
CREATE TABLE soc_sighting (
    token bytea NOT NULL,
    day date NOT NULL,
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    PRIMARY KEY (token, day, tenant_id)
);
CREATE INDEX soc_sighting_day ON soc_sighting (day);
CREATE INDEX soc_sighting_tenant ON soc_sighting (tenant_id);
-- How many questions a member asked on a day.
CREATE TABLE soc_sighting_question (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    day date NOT NULL,
    asked integer NOT NULL,
    PRIMARY KEY (tenant_id, day)
);

-- Advisories of the agency to members; `texts`: title and text by language. `indicators`: kind and value, one a line.
CREATE TABLE soc_advisory (
    advisory_id uuid PRIMARY KEY,
    tlp text NOT NULL CHECK (tlp IN ('clear', 'green', 'amber', 'amber+strict', 'red')),
    is_exercise boolean NOT NULL,
    to_all boolean NOT NULL,
    texts jsonb NOT NULL,
    indicators jsonb NOT NULL,
    written_by text NOT NULL,
    published_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE TABLE soc_advisory_receipt (
    advisory_id uuid NOT NULL REFERENCES soc_advisory,
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    acknowledged_by text,
    acknowledged_at timestamptz,
    PRIMARY KEY (advisory_id, tenant_id)
);
CREATE INDEX soc_advisory_receipt_tenant ON soc_advisory_receipt (tenant_id, advisory_id);
