-- Whether anybody has an identifier of a system, which a query for cross-references asks (IHE PIXm).
CREATE INDEX person_identifier_system ON person_identifier (system);
