-- Who of the administrative staff acts for a professional at an organisation, from a day until another (exclusive).
CREATE TABLE directory_delegation (
    delegate_id uuid NOT NULL,
    professional_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    since date NOT NULL,
    until date,
    PRIMARY KEY (delegate_id, professional_id, organization_id, since)
);
