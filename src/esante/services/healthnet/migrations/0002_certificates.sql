-- Certificates of intermediate authorities, the last one in use, with the root that signed it (PEM).
CREATE TABLE healthnet_authority (
    fingerprint text PRIMARY KEY,
    certificate text NOT NULL,
    root text NOT NULL,
    installed_at timestamptz NOT NULL
);
-- Certificates of sites; `serial` in hexadecimal.
CREATE TABLE healthnet_certificate (
    serial text PRIMARY KEY,
    site_id uuid NOT NULL REFERENCES healthnet_site,
    fingerprint text NOT NULL,
    issued_at timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX healthnet_certificate_site ON healthnet_certificate (site_id, not_after);
CREATE INDEX healthnet_certificate_revoked ON healthnet_certificate (not_after) WHERE revoked_at IS NOT NULL;
