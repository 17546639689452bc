-- What is known of each document. `depositor_id` is the organisation it came from, else its author: from one
-- depositor the same bytes are one document.
CREATE TABLE document (
    person_id uuid NOT NULL,
    document_id uuid NOT NULL,
    series_id uuid NOT NULL,
    replaces uuid,
    version integer NOT NULL,
    status text NOT NULL,
    category text NOT NULL,
    type text NOT NULL,
    title text NOT NULL,
    language text NOT NULL,
    event_date date NOT NULL,
    deposited_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    author_kind text NOT NULL,
    author_id uuid NOT NULL,
    author text NOT NULL,
    organization_id uuid,
    organization text NOT NULL,
    depositor_id uuid NOT NULL,
    media_type text NOT NULL,
    format text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    sha1 bytea NOT NULL,
    confidentiality text NOT NULL,
    submission_id uuid NOT NULL,
    withdrawn_reason text NOT NULL DEFAULT '',
    misfiled boolean NOT NULL DEFAULT false,
    findings text NOT NULL DEFAULT '',
    identifiers jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (person_id, document_id)
);
CREATE INDEX document_timeline ON document (person_id, event_date, document_id);
CREATE UNIQUE INDEX document_once ON document (person_id, sha256, depositor_id) WHERE status = 'current';

-- The bytes of small documents; larger ones lie in the object store under their SHA-256. Kept apart, so that
-- a timeline never reads them, and not compressed: they are sent as they are.
CREATE TABLE document_content (
    person_id uuid NOT NULL,
    document_id uuid NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (person_id, document_id)
);
ALTER TABLE document_content ALTER COLUMN content SET STORAGE EXTERNAL;
