-- The keys that sign bundles, derived from the root key by their generation; one, or two while a new one is announced.
CREATE TABLE healthnet_signing_key (
    generation integer PRIMARY KEY,
    announced_at timestamptz NOT NULL,
    ended_at timestamptz
);
INSERT INTO healthnet_signing_key VALUES (1, clock_timestamp());
