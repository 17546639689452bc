-- What people report to the helpdesk, signed in or not, with the answer. `reference` is the number that they keep.
CREATE TABLE helpdesk_report (
    report_id uuid PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    contact text NOT NULL,
    page text NOT NULL,
    language text NOT NULL,
    reporter_id uuid,
    reporter_kind text NOT NULL,
    reporter text NOT NULL,
    answer text NOT NULL DEFAULT '',
    answered_at timestamptz,
    answered_by text NOT NULL DEFAULT ''
);
CREATE INDEX helpdesk_report_queue ON helpdesk_report ((answered_at IS NOT NULL), report_id);
CREATE INDEX helpdesk_report_reporter ON helpdesk_report (reporter_id, report_id) WHERE reporter_id IS NOT NULL;
