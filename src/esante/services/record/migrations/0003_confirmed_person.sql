-- Why the depositor of a document confirmed that it is about the person of the record although it differs.
ALTER TABLE document ADD COLUMN confirmation text NOT NULL DEFAULT '';
