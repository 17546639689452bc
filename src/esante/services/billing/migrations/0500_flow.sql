-- The flow of fee notes by minute: how often something happened (`kind`, `detail`). It names no person.
CREATE TABLE billing_flow (
    minute timestamptz NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    number integer NOT NULL,
    PRIMARY KEY (kind, minute, detail)
);
