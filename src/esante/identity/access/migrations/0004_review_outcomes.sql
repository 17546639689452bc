-- When the professional read the verdict on their emergency access; NULL: not yet. Earlier verdicts count as read.
ALTER TABLE access_review ADD COLUMN acknowledged_at timestamptz;
UPDATE access_review SET acknowledged_at = reviewed_at;
CREATE INDEX access_review_told ON access_review (practitioner_id)
    WHERE reviewed_at IS NOT NULL AND acknowledged_at IS NULL;
