-- The payment of a note, one for each: `amount` is the insurance's share less `recovered`. `note_sha256`: of the content that was
-- validated. `cancelled_at`: when the note was cancelled, and what had been paid became recoverable.
CREATE TABLE billing_payment (
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    simulation_id uuid NOT NULL,
    note_sha256 bytea NOT NULL,
    provider_code text NOT NULL,
    amount numeric(12, 2) NOT NULL CHECK (amount >= 0),
    recovered numeric(12, 2) NOT NULL CHECK (recovered >= 0),
    created_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    PRIMARY KEY (person_id, note_id)
);

-- The ledger, in double entry: positive amounts are debits, negative ones credits, and those of a transaction sum to 0.
CREATE TABLE billing_posting (
    person_id uuid NOT NULL,
    transaction_id uuid NOT NULL,
    account text NOT NULL,
    provider_code text NOT NULL,
    payment_id uuid NOT NULL,
    kind text NOT NULL,
    amount numeric(12, 2) NOT NULL CHECK (amount <> 0),
    at timestamptz NOT NULL,
    PRIMARY KEY (person_id, transaction_id, account)
);
CREATE INDEX billing_posting_payment ON billing_posting (person_id, payment_id);

-- What the bank is asked, over all persons. `due_at`: when the work on a payment goes on; `attempt`: how often it was asked, each time
-- with another id of its file; `payee_id`: the account of the last attempt.
CREATE TABLE billing_transfer (
    payment_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    provider_code text NOT NULL,
    amount numeric(12, 2) NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    settled_at timestamptz,
    attempt integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    payee_id uuid,
    asked_at timestamptz,
    bank_line text NOT NULL DEFAULT '',
    cause text NOT NULL DEFAULT ''
);
CREATE INDEX billing_transfer_due ON billing_transfer (due_at) WHERE state IN ('created', 'asked');
CREATE INDEX billing_transfer_provider ON billing_transfer (provider_code, payment_id);
CREATE INDEX billing_transfer_refused ON billing_transfer (state, payment_id) WHERE state <> 'paid';

-- What each professional owes back, which the next payments net. It equals the account `recoverable` of the ledger.
CREATE TABLE billing_recoverable (
    provider_code text PRIMARY KEY,
    amount numeric(12, 2) NOT NULL CHECK (amount >= 0)
);

-- The accounts to which professionals are paid: the newest confirmed one of a provider code.
CREATE TABLE billing_payee (
    payee_id uuid PRIMARY KEY,
    provider_code text NOT NULL,
    iban text NOT NULL,
    name text NOT NULL,
    match text NOT NULL,
    bank_name text NOT NULL,
    state text NOT NULL,
    proposed_by uuid NOT NULL,
    proposer text NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_at timestamptz,
    decider text NOT NULL DEFAULT ''
);
CREATE INDEX billing_payee_code ON billing_payee (provider_code, payee_id);

-- The debits that the bank reported, each once; `fault`: why a line matches no payment, '' when it does.
CREATE TABLE billing_bank_line (
    reference text PRIMARY KEY,
    end_to_end_id text NOT NULL,
    payment_id uuid,
    amount numeric(12, 2) NOT NULL,
    booked_at timestamptz NOT NULL,
    fault text NOT NULL,
    resolved_at timestamptz,
    resolution text NOT NULL DEFAULT ''
);
CREATE INDEX billing_bank_line_open ON billing_bank_line (reference) WHERE fault <> '' AND resolved_at IS NULL;

-- How far the bank's statement was read.
CREATE TABLE billing_statement (
    place bigint NOT NULL
);
INSERT INTO billing_statement VALUES (0);
