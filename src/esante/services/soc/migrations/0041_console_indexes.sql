-- The queue of one member, and what happened in all cases by time.
CREATE INDEX soc_alert_queue_tenant ON soc_alert (tenant_id, level DESC, raised_at, alert_id) WHERE case_id IS NULL;
CREATE INDEX soc_case_entry_newest ON soc_case_entry (entry_id);
