-- What operators see: studies by the day on which they came in, and quarantine with what was done about an instance.
CREATE INDEX imaging_study_received ON imaging_study (received_at);
CREATE INDEX imaging_quarantine_received ON imaging_quarantine (received_at);
ALTER TABLE imaging_quarantine ADD COLUMN settled_at timestamptz;
ALTER TABLE imaging_quarantine ADD COLUMN settled_by text NOT NULL DEFAULT '';
ALTER TABLE imaging_quarantine ADD COLUMN note text NOT NULL DEFAULT '';
