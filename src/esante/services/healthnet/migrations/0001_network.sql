-- Sites of the network. `number` gives the key and is never used again; `wireguard_key`: the public key of the gateway.
CREATE SEQUENCE healthnet_site_number MAXVALUE 99999;
CREATE TABLE healthnet_site (
    site_id uuid PRIMARY KEY,
    key text NOT NULL UNIQUE,
    provider_code text NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL,
    profession text NOT NULL,
    line text NOT NULL,
    postal_code text NOT NULL,
    city text NOT NULL,
    service_class text NOT NULL,
    contact_name text NOT NULL,
    contact_phone text NOT NULL,
    contact_email text NOT NULL,
    state text NOT NULL,
    is_quarantined boolean NOT NULL DEFAULT false,
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    requested_by_id uuid NOT NULL,
    decided_at timestamptz,
    decided_by text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    wireguard_key text NOT NULL DEFAULT '',
    enrolled_at timestamptz,
    ended_at timestamptz
);
-- A provider has one connection for each of its places at a time.
CREATE UNIQUE INDEX healthnet_site_place ON healthnet_site (provider_code, lower(label))
    WHERE state NOT IN ('refused', 'ended');
CREATE INDEX healthnet_site_state ON healthnet_site (state, site_id);
CREATE UNIQUE INDEX healthnet_site_wireguard ON healthnet_site (wireguard_key) WHERE wireguard_key <> '';

-- Tokens of enrolment by their SHA-256; a site has one at a time.
CREATE TABLE healthnet_enrolment (
    token_hash bytea PRIMARY KEY,
    site_id uuid NOT NULL UNIQUE REFERENCES healthnet_site,
    expires_at timestamptz NOT NULL
);

-- Networks of sites. Those of a site that gave them up stay until they may be given to another.
CREATE TABLE healthnet_address (
    network cidr PRIMARY KEY,
    site_id uuid NOT NULL REFERENCES healthnet_site,
    assigned_at timestamptz NOT NULL,
    released_at timestamptz,
    EXCLUDE USING gist (network inet_ops WITH &&)
);
CREATE UNIQUE INDEX healthnet_address_site ON healthnet_address (site_id, family(network)) WHERE released_at IS NULL;
