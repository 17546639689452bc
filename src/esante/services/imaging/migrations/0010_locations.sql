-- Archives of hospitals that keep their images: `location_uid` is the Retrieve Location UID of manifests, `url` the address
-- of DICOMweb there, `token_file` the file with the bearer token for it ("": none). Operators keep it.
CREATE TABLE imaging_location (
    location_uid text NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    token_file text NOT NULL,
    since timestamptz NOT NULL
);

-- Where the instances of a series are retrieved; "": their bytes are in the object store. Instances elsewhere have no
-- object name, and the size, syntax and frames that are found when they are retrieved.
ALTER TABLE imaging_series ADD COLUMN location_uid text NOT NULL DEFAULT '';
