-- Co-signatures of witnesses on checkpoints: the witness's key as a text (C2SP verifier key), the size of the checkpoint,
-- and the time and signature of `cosignature/v1`.
CREATE TABLE journal_cosignature (
    witness text NOT NULL,
    size bigint NOT NULL,
    signed_at timestamptz NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (witness, size)
);
CREATE INDEX journal_cosignature_size ON journal_cosignature (size);

-- What is known of a witness: the size that it signed last by its own account, when the next checkpoint is submitted to
-- it, and what failed since it last signed one.
CREATE TABLE journal_witness (
    witness text PRIMARY KEY,
    size bigint NOT NULL DEFAULT 0,
    turn_at timestamptz NOT NULL DEFAULT '-infinity',
    failures integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT ''
);
