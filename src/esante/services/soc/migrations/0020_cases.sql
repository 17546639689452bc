-- Cases of alerts. An alert without a case waits in the queue; the index has those only, in their order.
ALTER TABLE soc_alert ADD COLUMN case_id uuid;
CREATE INDEX soc_alert_queue ON soc_alert (level DESC, raised_at, alert_id) WHERE case_id IS NULL;
CREATE INDEX soc_alert_case ON soc_alert (case_id) WHERE case_id IS NOT NULL;

CREATE TABLE soc_case (
    tenant_id uuid NOT NULL REFERENCES soc_tenant,
    case_id uuid PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    title text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'working', 'closing', 'closed', 'merged')),
    severity smallint NOT NULL CHECK (severity BETWEEN 0 AND 4),
    tlp text NOT NULL CHECK (tlp IN ('clear', 'green', 'amber', 'amber+strict', 'red')),
    playbook text NOT NULL,
    owner_id uuid,
    owner text NOT NULL,
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    outcome text NOT NULL,
    summary text NOT NULL,
    proposed_by_id uuid,
    proposed_by text NOT NULL,
    proposed_at timestamptz,
    closed_by text NOT NULL,
    closed_at timestamptz,
    merged_into uuid REFERENCES soc_case,
    CHECK ((state = 'merged') = (merged_into IS NOT NULL))
);
CREATE INDEX soc_case_tenant ON soc_case (tenant_id, state);
CREATE INDEX soc_case_merged ON soc_case (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE soc_case_task (
    case_id uuid NOT NULL REFERENCES soc_case,
    step text NOT NULL,
    position smallint NOT NULL,
    who text NOT NULL CHECK (who IN ('agency', 'member')),
    due_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'done', 'not_applicable')),
    reason text NOT NULL,
    done_by text NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (case_id, step)
);

-- What happened in a case. `is_internal`: for operators only.
CREATE TABLE soc_case_entry (
    case_id uuid NOT NULL REFERENCES soc_case,
    entry_id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    kind text NOT NULL,
    params jsonb NOT NULL,
    text text NOT NULL,
    tlp text NOT NULL,
    is_internal boolean NOT NULL,
    PRIMARY KEY (case_id, entry_id)
);

-- Evidence: the content lies in the object store under its SHA-256.
CREATE TABLE soc_evidence (
    case_id uuid NOT NULL REFERENCES soc_case,
    position integer NOT NULL CHECK (position > 0),
    name text NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    added_at timestamptz NOT NULL,
    added_by text NOT NULL,
    previous bytea NOT NULL,
    chain bytea NOT NULL,
    entry_id uuid NOT NULL,
    PRIMARY KEY (case_id, position)
);

-- `tenant_id` NULL: of every member; rule or subject '': any. Ended ones hold for no alert.
CREATE TABLE soc_suppression (
    suppression_id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES soc_tenant,
    rule text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    owner_id uuid NOT NULL,
    owner text NOT NULL,
    created_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text NOT NULL,
    CHECK (rule <> '' OR subject <> '')
);

CREATE TABLE soc_containment (
    containment_id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES soc_case,
    kind text NOT NULL CHECK (kind IN ('suspension', 'quarantine')),
    holder_id uuid NOT NULL,
    holder text NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'done', 'refused')),
    requested_by_id uuid NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz
);
CREATE INDEX soc_containment_case ON soc_containment (case_id);

CREATE TABLE soc_handover (
    handover_id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES soc_case,
    recipient text NOT NULL,
    tlp text NOT NULL,
    sha256 bytea NOT NULL,
    size bigint NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL
);
CREATE INDEX soc_handover_case ON soc_handover (case_id);
