-- Software products of vendors, their versions, and what happened to the attestation of each version: `status` follows from
-- the acts and is written with them. `profiles`: keys, separated by spaces.
CREATE TABLE conformance_product (
    product_id uuid PRIMARY KEY,
    name text NOT NULL,
    vendor text NOT NULL,
    contact text NOT NULL,
    registered_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX conformance_product_name ON conformance_product (lower(vendor), lower(name));
CREATE TABLE conformance_version (
    version_id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES conformance_product,
    version text NOT NULL,
    profiles text NOT NULL,
    registered_at timestamptz NOT NULL,
    status text NOT NULL,
    attested_at timestamptz,
    CHECK ((status = 'attested') <= (attested_at IS NOT NULL))
);
CREATE UNIQUE INDEX conformance_version_name ON conformance_version (product_id, lower(version));
CREATE TABLE conformance_act (
    act_id uuid PRIMARY KEY,
    version_id uuid NOT NULL REFERENCES conformance_version,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    operator_id uuid NOT NULL,
    operator text NOT NULL,
    body text NOT NULL,
    reference text NOT NULL,
    passed_on date,
    reason text NOT NULL
);
CREATE INDEX conformance_act_version ON conformance_act (version_id, act_id);
