-- The context of care of a grant, a key of the policy set; empty: the first one of its kind. How often it was renewed.
ALTER TABLE access_grant
    ADD COLUMN context text NOT NULL DEFAULT '',
    ADD COLUMN renewals integer NOT NULL DEFAULT 0;
-- The class of the encounter (v3-ActCode): before, all stays were of inpatients.
ALTER TABLE access_stay ADD COLUMN encounter text NOT NULL DEFAULT 'IMP';
