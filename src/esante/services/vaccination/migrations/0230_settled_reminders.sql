-- When the dose of a reminder was no longer due: its notice is then of no use any more.
ALTER TABLE vaccination_reminder ADD COLUMN settled_at timestamptz;
CREATE INDEX vaccination_reminder_open ON vaccination_reminder (person_id) WHERE settled_at IS NULL;
