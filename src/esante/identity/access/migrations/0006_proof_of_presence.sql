-- Whether the person's presence was proved where a stay gives access: by a presence code, by the person or by a review.
-- Stays of before count as proved.
ALTER TABLE access_grant ADD COLUMN proved boolean NOT NULL DEFAULT true;

-- Who ended the access of the stays: the person (patient), or operators (review).
ALTER TABLE access_stay_refusal ADD COLUMN cause text NOT NULL DEFAULT 'patient';

-- Operators review emergencies, and admissions without proof of presence (kind: emergency, stay).
ALTER TABLE access_review ADD COLUMN kind text NOT NULL DEFAULT 'emergency';
CREATE INDEX access_review_of_kind ON access_review (kind, (reviewed_at IS NOT NULL), grant_id);

-- Organisations that reported unusually many admissions in so many hours.
CREATE TABLE access_alarm (
    alarm_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    organization text NOT NULL,
    at timestamptz NOT NULL,
    admissions integer NOT NULL,
    most integer NOT NULL,
    hours integer NOT NULL,
    seen_at timestamptz,
    seen_by text NOT NULL DEFAULT ''
);
CREATE INDEX access_alarm_unseen ON access_alarm (alarm_id) WHERE seen_at IS NULL;
