-- Leaves whose retention ended because what their entries concern is gone: the next run of the expiry removes the
-- contents, and records and signs that.
CREATE TABLE journal_due (
    seq bigint PRIMARY KEY,
    type text NOT NULL
);
CREATE INDEX journal_due_type ON journal_due (type, seq);
