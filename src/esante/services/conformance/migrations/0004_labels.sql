-- Labels of versions for kits: applied for with a run as evidence, reviewed by two operators, granted until a day.
-- `run_again_by`: the kit has a new version; `cause`: why it was refused or ended, `reason`: in somebody's words.
CREATE TABLE conformance_label (
    label_id uuid PRIMARY KEY,
    version_id uuid NOT NULL REFERENCES conformance_version,
    vendor_id uuid NOT NULL REFERENCES conformance_vendor,
    run_id uuid NOT NULL REFERENCES conformance_run,
    kit text NOT NULL,
    kit_version text NOT NULL,
    state text NOT NULL,
    applied_at timestamptz NOT NULL,
    granted_at timestamptz,
    until date,
    run_again_by date,
    ended_at timestamptz,
    cause text NOT NULL,
    reason text NOT NULL,
    CHECK ((state = 'granted') <= (granted_at IS NOT NULL AND until IS NOT NULL))
);
CREATE UNIQUE INDEX conformance_label_applied ON conformance_label (version_id, kit) WHERE state = 'applied';
CREATE UNIQUE INDEX conformance_label_granted ON conformance_label (version_id, kit) WHERE state = 'granted';
CREATE INDEX conformance_label_state ON conformance_label (state, label_id);
CREATE TABLE conformance_label_review (
    label_id uuid NOT NULL REFERENCES conformance_label,
    operator_id uuid NOT NULL,
    operator text NOT NULL,
    at timestamptz NOT NULL,
    approved boolean NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (label_id, operator_id)
);
