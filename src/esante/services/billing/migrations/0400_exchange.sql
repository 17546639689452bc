-- The certificates with which professionals sign messages to the exchange. `fingerprint`: SHA-256 of the certificate (DER).
CREATE TABLE billing_certificate (
    fingerprint bytea PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    certificate bytea NOT NULL,
    subject text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    added_at timestamptz NOT NULL,
    revoked_at timestamptz,
    reason text NOT NULL DEFAULT ''
);

-- The signatures (SHA-256) of messages that were received, until none of them could be accepted any more.
CREATE TABLE billing_exchange_message (
    digest bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX billing_exchange_message_end ON billing_exchange_message (expires_at);
