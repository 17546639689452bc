-- Until which day (inclusive) a document is kept, 'infinity' for as long as the record is open; NULL in rows of before,
-- which a task fills. A contribution has the day on which the first of its resources ends. `notified_on`: since when the
-- person knows that it ends.
ALTER TABLE document ADD COLUMN expires_on date, ADD COLUMN notified_on date;
CREATE INDEX document_unplanned ON document (expires_on) WHERE notified_on IS NULL;
CREATE INDEX document_undated ON document (document_id) WHERE expires_on IS NULL;
CREATE INDEX document_expiry ON document (person_id, expires_on, document_id);
ALTER TABLE contribution ADD COLUMN expires_on date, ADD COLUMN notified_on date;
CREATE INDEX contribution_unplanned ON contribution (expires_on) WHERE notified_on IS NULL;

-- What a person agreed to about how long a source (all versions of a document, or a contribution) is kept: until a day,
-- or 'infinity'. `proposer` is empty where the person asked for it alone.
CREATE TABLE retention_agreement (
    person_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    source_id uuid NOT NULL,
    until date NOT NULL,
    state text NOT NULL,
    proposer_id uuid,
    proposer text NOT NULL DEFAULT '',
    organization text NOT NULL DEFAULT '',
    proposed_at timestamptz NOT NULL,
    decided_at timestamptz,
    PRIMARY KEY (person_id, agreement_id)
);
CREATE UNIQUE INDEX retention_agreement_open ON retention_agreement (person_id, source_id, state)
    WHERE state IN ('proposed', 'agreed');

-- Contents in the object store whose last known document was deleted: removed some days later, if no document has the
-- same bytes then. Such a document is found by the index.
CREATE TABLE document_removal (
    sha256 bytea PRIMARY KEY,
    since timestamptz NOT NULL
);
CREATE INDEX document_removal_since ON document_removal (since);
CREATE INDEX document_object ON document (sha256) WHERE size > 65536;
