-- How far the reimbursement of each note is (RA). `tried`: the deposit may have reached the insurance. `secu_id`: its UUID there.
-- `anomalies`: [{type, code, reason}].
CREATE TABLE billing_reimbursement (
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    state text NOT NULL,
    settled boolean NOT NULL,
    tried boolean NOT NULL,
    secu_id uuid,
    asked_at timestamptz,
    asked_by text NOT NULL,
    consented boolean NOT NULL,
    amount numeric(12, 2),
    reimbursed_on date,
    cancel_reason text NOT NULL,
    replaced_by_id uuid,
    anomalies text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, note_id)
);

-- Notes for which a message to the insurance waits. `dead`: it is not tried any more by itself.
CREATE TABLE billing_waiting (
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    turn_at timestamptz NOT NULL,
    failures integer NOT NULL,
    last_error text NOT NULL,
    dead boolean NOT NULL,
    PRIMARY KEY (person_id, note_id)
);
CREATE INDEX billing_waiting_turn ON billing_waiting (turn_at) WHERE NOT dead;

-- Consents of persons about fee notes: of each type one that was not ended.
CREATE TABLE billing_consent (
    person_id uuid NOT NULL,
    consent_id uuid NOT NULL,
    type text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    author text NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (person_id, consent_id)
);
CREATE UNIQUE INDEX billing_consent_type ON billing_consent (person_id, type) WHERE ended_at IS NULL;
