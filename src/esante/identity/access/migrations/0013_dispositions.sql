-- Why a record is closed ('' by the person; death, inactivity), when a professional first had access, and a moment since
-- which the record is known to have been used (NULL: since it changed).
ALTER TABLE access_record
    ADD COLUMN cause text NOT NULL DEFAULT '',
    ADD COLUMN first_access_at timestamptz,
    ADD COLUMN idle_since timestamptz;
CREATE INDEX access_record_idle ON access_record ((coalesce(idle_since, changed_at))) WHERE state = 'open';
CREATE INDEX access_record_ended ON access_record (person_id) WHERE state IN ('objected', 'closed');

-- What is planned to happen at the end of a period: an act (close, delete, expire, log), the rule that asks for it, when
-- it is due, and how far it is. `period` distinguishes dispositions of one act; `upto` bounds what it is about. `notified_at`:
-- when the person was told of it; while `held_at` is set nothing is done. `cursor` and `done`: the progress.
CREATE TABLE access_disposition (
    person_id uuid NOT NULL,
    disposition_id uuid NOT NULL,
    act text NOT NULL,
    rule text NOT NULL,
    period text NOT NULL DEFAULT '',
    state text NOT NULL,
    due_at timestamptz NOT NULL,
    upto timestamptz NOT NULL,
    total integer NOT NULL DEFAULT 0,
    done integer NOT NULL DEFAULT 0,
    cursor text NOT NULL DEFAULT '',
    resume_at timestamptz,
    notified_at timestamptz,
    held_at timestamptz,
    held_by text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    approved boolean NOT NULL DEFAULT false,
    ended_at timestamptz,
    PRIMARY KEY (person_id, disposition_id)
);
CREATE UNIQUE INDEX access_disposition_open ON access_disposition (person_id, act, period)
    WHERE state IN ('planned', 'running');
CREATE INDEX access_disposition_due ON access_disposition (due_at, disposition_id) WHERE state IN ('planned', 'running');
CREATE INDEX access_disposition_ended ON access_disposition (ended_at) WHERE state IN ('done', 'cancelled');

-- Approvals by two people of all deletions that waited at a moment: those planned up to `upto_id` and due by `due_before`.
CREATE TABLE access_disposition_approval (
    approval_id uuid PRIMARY KEY,
    upto_id uuid NOT NULL,
    due_before timestamptz NOT NULL,
    dispositions integer NOT NULL,
    items integer NOT NULL,
    first_by text NOT NULL,
    first_at timestamptz NOT NULL,
    second_by text NOT NULL DEFAULT '',
    second_at timestamptz
);
