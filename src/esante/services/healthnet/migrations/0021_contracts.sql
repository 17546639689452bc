-- Contracts of sites: from a connection, or a change of the class of service, to the next. What was agreed stays as it was;
-- `monthly_price` in euros, `availability` in per cent of a month, `down` and `up` in Mbit/s.
CREATE TABLE healthnet_contract (
    contract_id uuid PRIMARY KEY,
    site text NOT NULL,
    service_class text NOT NULL,
    label text NOT NULL,
    down integer NOT NULL,
    up integer NOT NULL,
    availability numeric(6, 3) NOT NULL,
    monthly_price numeric(12, 2) NOT NULL,
    legal_source text NOT NULL,
    is_verified boolean NOT NULL,
    is_sample boolean NOT NULL,
    begins_at timestamptz NOT NULL,
    ends_at timestamptz
);
CREATE UNIQUE INDEX healthnet_contract_open ON healthnet_contract (site) WHERE ends_at IS NULL;
CREATE INDEX healthnet_contract_site ON healthnet_contract (site, begins_at);
