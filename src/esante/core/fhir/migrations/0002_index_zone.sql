-- The time zone of the days in the index (`fhir_resource.index`): one row. Where it is not that of the server, which is a
-- setting, the index of current versions is made again. Until this migration, days were those of UTC.
CREATE TABLE fhir_index_zone (
    zone text NOT NULL
);
INSERT INTO fhir_index_zone (zone) SELECT 'UTC' WHERE EXISTS (SELECT FROM fhir_resource);
