-- Messages of HL7 V2 that came in, by sender and control id (MSH-3, MSH-4, MSH-10): the same one again gets the same
-- answer. `state`: received (being processed, or broken off), done, failed. `content`: the message, while it is not done.
-- `code`, `place`, `reason`: why it failed; nothing of the patient stands in them.
CREATE TABLE exchange_hl7_message (
    message_id uuid NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL,
    sender text NOT NULL,
    control_id text NOT NULL,
    kind text NOT NULL,
    digest bytea NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL,
    code text NOT NULL,
    place text NOT NULL,
    reason text NOT NULL,
    content bytea,
    answer bytea,
    processed_at timestamptz,
    UNIQUE (organization_id, sender, control_id)
);
CREATE INDEX exchange_hl7_message_state ON exchange_hl7_message (state, message_id DESC);
CREATE INDEX exchange_hl7_message_received ON exchange_hl7_message (received_at);
