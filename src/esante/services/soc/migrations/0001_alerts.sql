-- Members of the SOC: organisations of the directory, and one without an organisation for the agency itself.
CREATE TABLE soc_tenant (
    tenant_id uuid PRIMARY KEY,
    organization_id uuid UNIQUE,
    name text NOT NULL,
    is_active boolean NOT NULL,
    events_per_second integer NOT NULL CHECK (events_per_second > 0),
    joined_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX soc_tenant_agency ON soc_tenant ((organization_id IS NULL)) WHERE organization_id IS NULL;
-- Professionals who see what the SOC knows of their organisation.
CREATE TABLE soc_contact (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    practitioner_id uuid NOT NULL,
    name text NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, practitioner_id)
);
CREATE INDEX soc_contact_practitioner ON soc_contact (practitioner_id);

-- Alerts. `key`: the same finding has the same key, and is stored once. `techniques`: separated by spaces. `person_id`: the patient whose data it concerns.
CREATE TABLE soc_alert (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    alert_id uuid NOT NULL,
    key text NOT NULL,
    raised_at timestamptz NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    origin text NOT NULL,
    rule text NOT NULL,
    title text NOT NULL,
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 4),
    techniques text NOT NULL,
    subject text NOT NULL,
    person_id uuid,
    reason jsonb NOT NULL,
    evidence jsonb NOT NULL,
    PRIMARY KEY (tenant_id, alert_id),
    UNIQUE (tenant_id, key)
);
CREATE INDEX soc_alert_newest ON soc_alert (alert_id);
CREATE INDEX soc_alert_person ON soc_alert (person_id) WHERE person_id IS NOT NULL;
