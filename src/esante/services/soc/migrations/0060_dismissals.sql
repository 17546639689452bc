-- Alerts that somebody dismissed alone, without a case: `dismissed_as` is an outcome of cases. Exercises are cases that count nowhere.
ALTER TABLE soc_alert
    ADD COLUMN dismissed_at timestamptz,
    ADD COLUMN dismissed_by text NOT NULL DEFAULT '',
    ADD COLUMN dismissed_as text NOT NULL DEFAULT '',
    ADD COLUMN dismissal text NOT NULL DEFAULT '',
    ADD CHECK (dismissed_at IS NULL OR case_id IS NULL);
DROP INDEX soc_alert_queue;
DROP INDEX soc_alert_queue_tenant;
CREATE INDEX soc_alert_queue ON soc_alert (level DESC, raised_at, alert_id) WHERE case_id IS NULL AND dismissed_at IS NULL;
CREATE INDEX soc_alert_queue_tenant ON soc_alert (tenant_id, level DESC, raised_at, alert_id)
    WHERE case_id IS NULL AND dismissed_at IS NULL;
CREATE INDEX soc_alert_dismissed ON soc_alert (alert_id) WHERE dismissed_at IS NOT NULL;
ALTER TABLE soc_case ADD COLUMN is_exercise boolean NOT NULL DEFAULT false;
