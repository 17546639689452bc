-- The organisations whose stays give no access, since the person ended the access of one: kept until they lift it or
-- somebody of the organisation enters a presence code. A stay whose access the person ended before counts too.
CREATE TABLE access_stay_refusal (
    person_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    organization text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (person_id, organization_id)
);
INSERT INTO access_stay_refusal (person_id, organization_id, organization, since)
SELECT person_id, holder_id, max(holder), max(revoked_at)
FROM access_grant WHERE kind = 'institution_stay' AND revoked_at IS NOT NULL
GROUP BY person_id, holder_id;
