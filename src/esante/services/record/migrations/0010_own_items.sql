-- Who has no grant finds what they wrote through these: reading it costs the same however much others wrote.
CREATE INDEX document_author ON document (person_id, author_id);
CREATE INDEX document_organization ON document (person_id, organization_id) WHERE organization_id IS NOT NULL;
CREATE INDEX contribution_author ON contribution (person_id, author_id);
CREATE INDEX contribution_organization ON contribution (person_id, organization_id) WHERE organization_id IS NOT NULL;
