-- What of the journal is evidence: a document of a kind, of a professional (their provider code), billed under a code, made
-- by a software. `patient_key` is a pseudonym. `seq`: the leaf of the journal, up to which a decision looks.
CREATE TABLE incentive_evidence (
    kind text NOT NULL,
    document_id uuid NOT NULL,
    provider_code text NOT NULL,
    payee_code text NOT NULL,
    profession text NOT NULL,
    on_day date NOT NULL,
    client_id text NOT NULL,
    software text NOT NULL,
    patient_key bigint NOT NULL,
    amount numeric(12,2),
    seq bigint NOT NULL,
    PRIMARY KEY (kind, document_id)
);
CREATE INDEX incentive_evidence_day ON incentive_evidence (kind, on_day);
CREATE INDEX incentive_evidence_provider ON incentive_evidence (provider_code, on_day);
CREATE INDEX incentive_evidence_seq ON incentive_evidence (seq);
CREATE TABLE incentive_withdrawal (
    kind text NOT NULL,
    document_id uuid NOT NULL,
    on_day date NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (kind, document_id)
);
CREATE INDEX incentive_withdrawal_seq ON incentive_withdrawal (seq);

-- Labels of versions of software by kit; `clients`: registrations, separated by spaces.
CREATE TABLE incentive_label (
    version_id uuid NOT NULL,
    since date NOT NULL,
    kit text NOT NULL,
    product text NOT NULL,
    version text NOT NULL,
    vendor_id uuid NOT NULL,
    vendor text NOT NULL,
    clients text NOT NULL,
    until date,
    ended_on date,
    PRIMARY KEY (version_id, since, kit)
);
CREATE TABLE incentive_connection (
    kind text NOT NULL,
    provider_code text NOT NULL,
    software text NOT NULL,
    since date NOT NULL,
    PRIMARY KEY (kind, provider_code, software)
);

-- Installations that vendors claim.
CREATE TABLE incentive_claim (
    claim_id uuid PRIMARY KEY,
    scheme text NOT NULL,
    provider_code text NOT NULL,
    version_id uuid NOT NULL,
    product text NOT NULL,
    version text NOT NULL,
    vendor_id uuid NOT NULL,
    vendor text NOT NULL,
    made_at timestamptz NOT NULL,
    made_on date NOT NULL,
    made_by text NOT NULL,
    state text NOT NULL,
    reasons text NOT NULL,
    decided_in text NOT NULL,
    UNIQUE (scheme, provider_code, vendor_id)
);
CREATE INDEX incentive_claim_vendor ON incentive_claim (vendor_id, claim_id);

-- The decision of a quarter: `upto_seq` is the leaf of the journal up to which evidence counts.
CREATE TABLE incentive_run (
    quarter text PRIMARY KEY,
    state text NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    asked_by_id uuid NOT NULL,
    done integer NOT NULL DEFAULT 0,
    total integer NOT NULL DEFAULT 0,
    taken_until timestamptz,
    error text NOT NULL DEFAULT '',
    upto_seq bigint NOT NULL DEFAULT 0,
    decided_at timestamptz,
    confirmed_at timestamptz,
    confirmed_by text NOT NULL DEFAULT '',
    confirmed_by_id uuid
);
CREATE TABLE incentive_line (
    line_id uuid PRIMARY KEY,
    quarter text NOT NULL REFERENCES incentive_run ON DELETE CASCADE,
    of_quarter text NOT NULL,
    scheme text NOT NULL,
    row_from date NOT NULL,
    payee_kind text NOT NULL,
    payee text NOT NULL,
    payee_name text NOT NULL,
    provider_code text NOT NULL,
    product text NOT NULL,
    claim_id uuid,
    appeal_id uuid,
    documents integer NOT NULL,
    uncounted integer NOT NULL,
    withdrawn integer NOT NULL,
    amount numeric(12,2) NOT NULL,
    reasons text NOT NULL
);
CREATE UNIQUE INDEX incentive_line_once ON incentive_line
    (quarter, of_quarter, scheme, row_from, provider_code, payee, product, claim_id, appeal_id) NULLS NOT DISTINCT;
CREATE INDEX incentive_line_provider ON incentive_line (provider_code, line_id);
CREATE INDEX incentive_line_payee ON incentive_line (payee, line_id);

-- Unusual evidence, which holds the payment until two operators decided the same.
CREATE TABLE incentive_signal (
    signal_id uuid PRIMARY KEY,
    quarter text NOT NULL REFERENCES incentive_run ON DELETE CASCADE,
    scheme text NOT NULL,
    payee text NOT NULL,
    provider_code text NOT NULL,
    kind text NOT NULL,
    part integer NOT NULL,
    whole integer NOT NULL,
    state text NOT NULL DEFAULT 'open',
    proposal text NOT NULL DEFAULT '',
    first_by text NOT NULL DEFAULT '',
    first_by_id uuid,
    second_by text NOT NULL DEFAULT '',
    decided_at timestamptz
);
CREATE INDEX incentive_signal_quarter ON incentive_signal (quarter, state, signal_id);

-- What is paid: one order for each payee, quarter and scheme. `carried`: what was owed back from quarters before.
CREATE TABLE incentive_payment_file (
    file_id uuid PRIMARY KEY,
    message_id text NOT NULL UNIQUE,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    orders integer NOT NULL,
    amount numeric(14,2) NOT NULL,
    content bytea NOT NULL
);
CREATE TABLE incentive_order (
    order_id uuid PRIMARY KEY,
    quarter text NOT NULL,
    scheme text NOT NULL,
    payee_kind text NOT NULL,
    payee text NOT NULL,
    payee_name text NOT NULL,
    amount numeric(12,2) NOT NULL,
    carried numeric(12,2) NOT NULL,
    state text NOT NULL,
    carried_into text NOT NULL DEFAULT '',
    file_id uuid REFERENCES incentive_payment_file,
    attempt integer NOT NULL DEFAULT 0,
    iban text NOT NULL DEFAULT '',
    cause text NOT NULL DEFAULT '',
    settled_at timestamptz,
    bank_reference text NOT NULL DEFAULT '',
    UNIQUE (quarter, scheme, payee),
    CHECK ((state IN ('sent', 'paid', 'rejected')) <= (amount > 0))
);
CREATE INDEX incentive_order_state ON incentive_order (state, order_id);
CREATE INDEX incentive_order_payee ON incentive_order (payee, order_id);
CREATE TABLE incentive_account (
    account_id uuid PRIMARY KEY,
    payee_kind text NOT NULL,
    payee text NOT NULL,
    holder text NOT NULL,
    iban text NOT NULL,
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    entered_by_id uuid NOT NULL,
    state text NOT NULL,
    decided_at timestamptz,
    decided_by text NOT NULL
);
CREATE INDEX incentive_account_payee ON incentive_account (payee, account_id);
CREATE UNIQUE INDEX incentive_account_one ON incentive_account (payee) WHERE state = 'confirmed';

CREATE TABLE incentive_appeal (
    appeal_id uuid PRIMARY KEY,
    line_id uuid NOT NULL UNIQUE REFERENCES incentive_line,
    reference text NOT NULL UNIQUE,
    text text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    made_by_id uuid NOT NULL,
    due_on date NOT NULL,
    outcome text NOT NULL DEFAULT '',
    answer text NOT NULL DEFAULT '',
    amount numeric(12,2) NOT NULL DEFAULT 0,
    answered_at timestamptz,
    answered_by text NOT NULL DEFAULT '',
    read_at timestamptz
);
CREATE INDEX incentive_appeal_maker ON incentive_appeal (made_by_id, appeal_id);

-- Lines of the bank's statements that were applied: each once.
CREATE TABLE incentive_bank_line (
    reference text PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES incentive_order,
    applied_at timestamptz NOT NULL
);
