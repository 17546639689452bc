-- Facts of an incident, each statement a version; the newest counts.
CREATE TABLE soc_facts (
    case_id uuid NOT NULL REFERENCES soc_case,
    version integer NOT NULL CHECK (version > 0),
    facts jsonb NOT NULL,
    stated_at timestamptz NOT NULL,
    stated_by text NOT NULL,
    PRIMARY KEY (case_id, version)
);

-- The notification of each duty of a case; a change of its text ends the approvals. `sections`: pairs of key and text.
CREATE TABLE soc_notification (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    case_id uuid NOT NULL REFERENCES soc_case,
    duty text NOT NULL,
    language text NOT NULL,
    sections jsonb NOT NULL,
    version integer NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    first_by_id uuid,
    first_by text NOT NULL,
    first_at timestamptz,
    second_by_id uuid CHECK (second_by_id <> first_by_id),
    second_by text NOT NULL,
    second_at timestamptz,
    sent_at timestamptz,
    receipt text NOT NULL,
    sent_by text NOT NULL,
    delay_reason text NOT NULL,
    PRIMARY KEY (case_id, duty),
    CHECK (second_by_id IS NULL OR first_by_id IS NOT NULL),
    CHECK (sent_at IS NULL OR second_by_id IS NOT NULL)
);
