-- What clinical resources come from that were created directly: who told them, in which category, for whom. One row
-- for all that is alike: access is decided on it as on a document.
CREATE TABLE contribution (
    person_id uuid NOT NULL,
    contribution_id uuid NOT NULL,
    category text NOT NULL,
    confidentiality text NOT NULL,
    author_kind text NOT NULL,
    author_id uuid NOT NULL,
    author text NOT NULL,
    organization_id uuid,
    organization text NOT NULL,
    began_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, contribution_id)
);

-- The documents whose resources were taken into fhir_resource; `problem` says why nothing could be taken.
CREATE TABLE document_opening (
    person_id uuid NOT NULL,
    document_id uuid NOT NULL,
    opened_at timestamptz NOT NULL,
    problem text NOT NULL,
    PRIMARY KEY (person_id, document_id)
);
