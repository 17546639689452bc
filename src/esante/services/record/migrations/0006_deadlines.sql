-- What depositors have to add to records: discharge reports of stays that ended, and documents that holders asked for.
CREATE TABLE deposit_task (
    task_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    depositor_id uuid NOT NULL,
    depositor_kind text NOT NULL,
    depositor text NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    stay_id uuid,
    care_on date,
    asked_at timestamptz NOT NULL,
    due_on date NOT NULL,
    state text NOT NULL,
    closed_at timestamptz,
    document_id uuid,
    note text NOT NULL DEFAULT '',
    answer text NOT NULL DEFAULT '',
    answer_text text NOT NULL DEFAULT '',
    answered_by text NOT NULL DEFAULT '',
    notified_overdue boolean NOT NULL DEFAULT false
);
CREATE INDEX deposit_task_depositor ON deposit_task (depositor_id, due_on, task_id) WHERE state = 'open';
CREATE INDEX deposit_task_closed ON deposit_task (depositor_id, closed_at) WHERE state <> 'open';
CREATE INDEX deposit_task_person ON deposit_task (person_id, task_id);
CREATE INDEX deposit_task_due ON deposit_task (due_on, task_id) WHERE state = 'open';

-- How many documents with a deadline each depositor added in a month, in time and late.
CREATE TABLE deposit_punctuality (
    depositor_id uuid NOT NULL,
    month text NOT NULL,
    kind text NOT NULL,
    depositor text NOT NULL,
    in_time integer NOT NULL DEFAULT 0,
    late integer NOT NULL DEFAULT 0,
    PRIMARY KEY (depositor_id, month, kind)
);
