-- Copies of records that persons prepared for other providers: who has the address and the PIN fetches one of them once.
-- Nothing of the record is stored here. Of the address there is the SHA-256, of the PIN the scrypt hash.
CREATE TABLE record_transfer (
    address_hash bytea PRIMARY KEY,
    person_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    label text NOT NULL,
    categories text NOT NULL,
    hidden boolean NOT NULL,
    language text NOT NULL,
    pin_hash bytea NOT NULL,
    attempts_left integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_cause text NOT NULL DEFAULT '',
    recipient text NOT NULL DEFAULT '',
    files integer NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    sha256 text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX record_transfer_of_person ON record_transfer (person_id, transfer_id);
