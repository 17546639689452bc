-- Vendors of software with an account: `key_hash` is the SHA-256 of the access key, which is not stored. Products that
-- operators registered have no vendor's account. `clients`: client ids of a version, separated by spaces.
CREATE TABLE conformance_vendor (
    vendor_id uuid PRIMARY KEY,
    name text NOT NULL,
    contact text NOT NULL,
    email text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    status text NOT NULL,
    registered_at timestamptz NOT NULL,
    reason text NOT NULL
);
CREATE UNIQUE INDEX conformance_vendor_name ON conformance_vendor (lower(name));
ALTER TABLE conformance_product ADD COLUMN vendor_id uuid REFERENCES conformance_vendor;
CREATE INDEX conformance_product_vendor ON conformance_product (vendor_id) WHERE vendor_id IS NOT NULL;
ALTER TABLE conformance_version ADD COLUMN clients text NOT NULL DEFAULT '';
