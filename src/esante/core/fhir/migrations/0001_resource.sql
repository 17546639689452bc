-- Every version of every clinical resource. A version is what was current from `since` until `until` ('infinity': it
-- still is). `source` is what it comes from, a document or a contribution: who may not see that, finds nothing of it.
-- The same fact in several documents has one id and several sources; of those that are seen, the latest is shown.
-- `index` holds the values that searches compare, one key for each path of the search parameters.
CREATE TABLE fhir_resource (
    person_id uuid NOT NULL,
    type text NOT NULL,
    id uuid NOT NULL,
    source uuid NOT NULL,
    version integer NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL DEFAULT 'infinity',
    deleted boolean NOT NULL DEFAULT false,
    body bytea NOT NULL,
    index jsonb NOT NULL,
    PRIMARY KEY (person_id, type, id, source, version)
);
-- Every search of a person reads the index of all resources of a type: it stays beside its row, and not compressed but
-- where it alone is too large for that.
ALTER TABLE fhir_resource ALTER COLUMN index SET STORAGE MAIN;
