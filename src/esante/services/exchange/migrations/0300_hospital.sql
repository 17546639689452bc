-- Systems of hospitals. Whose a document or a submission set is, by its UUID (urn:uuid:...) or its unique id, over all
-- persons: registries are asked by these alone. `object_id`: the key in the record, null while a submission goes on;
-- `sha256`: of the bytes for which a unique id was taken.
CREATE TABLE exchange_registry_key (
    key text NOT NULL PRIMARY KEY,
    person_id uuid NOT NULL,
    object_id uuid,
    sha256 bytea
);
CREATE INDEX exchange_registry_key_person ON exchange_registry_key (person_id);

-- Certificates by which organisations are known: of assertions that they sign, and of their connections.
CREATE TABLE exchange_certificate (
    fingerprint bytea NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL,
    subject text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    added_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX exchange_certificate_organization ON exchange_certificate (organization_id);

-- Numbers that organisations have for persons, which they told (PIX). `issuer`: an OID.
CREATE TABLE exchange_local_identifier (
    organization_id uuid NOT NULL,
    issuer text NOT NULL,
    value text NOT NULL,
    person_id uuid NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (organization_id, issuer, value)
);
CREATE INDEX exchange_local_identifier_person ON exchange_local_identifier (person_id, organization_id);
CREATE INDEX exchange_local_identifier_issuer ON exchange_local_identifier (issuer);
