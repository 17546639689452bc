-- The context of care of a grant, a key of the policy set; empty: the first one of its kind. How often it was renewed, and
-- when its end was set to the ceiling of its context.
ALTER TABLE access_grant
    ADD COLUMN context text NOT NULL DEFAULT '',
    ADD COLUMN renewals integer NOT NULL DEFAULT 0,
    ADD COLUMN cut_at timestamptz;
-- The class of the encounter (v3-ActCode): before, all stays were of inpatients.
ALTER TABLE access_stay ADD COLUMN encounter text NOT NULL DEFAULT 'IMP';
