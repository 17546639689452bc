-- Why somebody at the portal looks people up, stated once for a task of their session: a patient's file, or a search.
-- `session_key`: the digest of the cookie. Only the journal keeps it longer than the session.
CREATE TABLE access_motive (
    session_key bytea NOT NULL,
    task text NOT NULL,
    purpose text NOT NULL,
    file_reference text NOT NULL,
    stated_at timestamptz NOT NULL,
    PRIMARY KEY (session_key, task)
);
CREATE INDEX access_motive_age ON access_motive (stated_at);
