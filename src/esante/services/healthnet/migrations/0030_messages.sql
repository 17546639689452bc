-- Messages between sites. The content is encrypted for the recipient; `digest`: the SHA-256 of it as it was sent.
-- `receipt_id`: of the receipt of acceptance, by which lists are ordered.
CREATE TABLE healthnet_message (
    message_id uuid PRIMARY KEY,
    receipt_id uuid NOT NULL UNIQUE,
    sender text NOT NULL,
    recipient text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL DEFAULT '',
    digest bytea NOT NULL,
    size integer NOT NULL,
    accepted_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX healthnet_message_waiting ON healthnet_message (recipient, receipt_id) WHERE state = 'accepted';
CREATE INDEX healthnet_message_expiry ON healthnet_message (expires_at) WHERE state IN ('accepted', 'delivered');
CREATE INDEX healthnet_message_recipient ON healthnet_message (recipient, receipt_id);
CREATE INDEX healthnet_message_sender ON healthnet_message (sender, receipt_id);

-- Encrypted contents until the recipient has read or refused them, or their time is over. They do not compress.
CREATE TABLE healthnet_message_content (
    message_id uuid PRIMARY KEY REFERENCES healthnet_message ON DELETE CASCADE,
    content bytea NOT NULL
);
ALTER TABLE healthnet_message_content ALTER COLUMN content SET STORAGE EXTERNAL;

-- A receipt for each state that a message reached; `receipt_id` is the id of its journal entry, `note` the signed text.
CREATE TABLE healthnet_receipt (
    receipt_id uuid PRIMARY KEY,
    message_id uuid NOT NULL REFERENCES healthnet_message ON DELETE CASCADE,
    state text NOT NULL,
    note text NOT NULL,
    UNIQUE (message_id, state)
);

-- The public key with which others encrypt for a site: a statement that the key of its certificate signed (JWS).
CREATE TABLE healthnet_message_key (
    site text PRIMARY KEY,
    statement text NOT NULL,
    announced_at timestamptz NOT NULL
);

-- Tokens of a time-stamp authority (RFC 3161) for heads of the journal.
CREATE TABLE healthnet_head_stamp (
    size bigint PRIMARY KEY,
    sealed_at timestamptz NOT NULL,
    token bytea NOT NULL,
    stamped_at timestamptz NOT NULL
);
