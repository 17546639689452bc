-- Documents of which the person restricted lines: `document` and `document_content` hold what others are given, without
-- those lines; `restricted_lines` is the confidentiality of the lines ('': none are restricted).
ALTER TABLE document ADD COLUMN restricted_lines text NOT NULL DEFAULT '';
DROP INDEX document_once;
CREATE UNIQUE INDEX document_once ON document (person_id, sha256, depositor_id)
    WHERE status = 'current' AND restricted_lines = '';
CREATE INDEX document_reduced ON document (person_id, sha256) WHERE restricted_lines <> '';

-- Such documents as they were deposited, for who may see the lines: size and digests, the bytes unless the object store
-- has them, the tokens of the restricted lines, and the source of their clinical resources.
CREATE TABLE document_whole (
    person_id uuid NOT NULL,
    document_id uuid NOT NULL,
    source_id uuid NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    sha1 bytea NOT NULL,
    content bytea,
    tokens text NOT NULL,
    restricted_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, document_id)
);
ALTER TABLE document_whole ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX document_whole_source ON document_whole (person_id, source_id);
CREATE INDEX document_whole_object ON document_whole (sha256) WHERE size > 65536;
