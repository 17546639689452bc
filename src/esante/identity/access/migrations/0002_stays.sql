-- Stays as their hospitals tell of them; `stay_id` is the grant that a stay gives.
CREATE TABLE access_stay (
    person_id uuid NOT NULL,
    stay_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    status text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (person_id, stay_id)
);
INSERT INTO access_stay (person_id, stay_id, organization_id, status, began_at)
SELECT person_id, grant_id, holder_id, 'in-progress', since
FROM access_grant WHERE kind = 'institution_stay' AND until IS NULL;
