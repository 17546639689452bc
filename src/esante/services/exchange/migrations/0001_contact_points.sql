-- Contact points of other countries: where they answer, who signs for them, how they identify patients.
CREATE TABLE exchange_contact_point (
    country text PRIMARY KEY,
    home text NOT NULL UNIQUE,
    languages text[] NOT NULL,
    endpoints jsonb NOT NULL,
    seals bytea[] NOT NULL,
    tls bytea[] NOT NULL,
    mask jsonb NOT NULL,
    offers text[] NOT NULL,
    asks text[] NOT NULL,
    valid_until timestamptz NOT NULL,
    is_suspended boolean NOT NULL DEFAULT false,
    fhir_url text NOT NULL DEFAULT ''
);
