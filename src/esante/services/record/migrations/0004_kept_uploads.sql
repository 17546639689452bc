-- Files of the deposit form, kept for an hour for the session that sent them, while the form is corrected and the
-- document is checked. They are no part of a record, and after a crash there are none.
CREATE UNLOGGED TABLE kept_upload (
    upload_id uuid PRIMARY KEY,
    session_key bytea NOT NULL,
    requester_id uuid NOT NULL,
    person_id uuid NOT NULL,
    name text NOT NULL,
    content bytea NOT NULL,
    kept_at timestamptz NOT NULL
);
ALTER TABLE kept_upload ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX kept_upload_of_requester ON kept_upload (requester_id, upload_id);
CREATE INDEX kept_upload_age ON kept_upload (kept_at);
