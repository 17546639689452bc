-- Frozen adjudications: `note` and `adjudication` as JSON. Those that nobody validated are deleted some time after they expired.
CREATE TABLE billing_simulation (
    person_id uuid NOT NULL,
    simulation_id uuid NOT NULL,
    note_id uuid NOT NULL,
    provider_code text NOT NULL,
    biller_id uuid NOT NULL,
    biller text NOT NULL,
    organization_id uuid,
    note bytea NOT NULL,
    note_sha256 bytea NOT NULL,
    adjudication bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    replaces_id uuid,
    PRIMARY KEY (person_id, simulation_id)
);
CREATE INDEX billing_simulation_note ON billing_simulation (person_id, note_id);

-- Whose the simulations are, over all persons.
CREATE TABLE billing_simulation_place (
    simulation_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    provider_code text NOT NULL,
    note_id uuid NOT NULL,
    note_sha256 bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX billing_simulation_place_note ON billing_simulation_place (note_id, provider_code);
CREATE INDEX billing_simulation_place_expiry ON billing_simulation_place (expires_at);

-- Contested findings of simulations, over all persons: who answers them works through a list.
CREATE TABLE billing_contestation (
    contestation_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    simulation_id uuid NOT NULL,
    note_id uuid NOT NULL,
    provider_code text NOT NULL,
    biller_id uuid NOT NULL,
    finding_id uuid NOT NULL,
    rule text NOT NULL,
    line integer NOT NULL,
    code text NOT NULL,
    text text NOT NULL,
    state text NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    answered_at timestamptz,
    answer text NOT NULL DEFAULT '',
    answered_by text NOT NULL DEFAULT '',
    UNIQUE (simulation_id, finding_id)
);
CREATE INDEX billing_contestation_biller ON billing_contestation (biller_id, contestation_id);
CREATE INDEX billing_contestation_open ON billing_contestation (due_at) WHERE state = 'open';
