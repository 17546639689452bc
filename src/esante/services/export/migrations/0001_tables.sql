-- Exports that were asked for. `asked` is what was asked and by whom; `cursor` how far the work is: it moves in the
-- transaction that records the segments written until there. `turn_at`: when the job is worked on next, the longest
-- waiting first.
CREATE TABLE export_job (
    job_id uuid PRIMARY KEY,
    owner text NOT NULL,
    asked jsonb NOT NULL,
    state text NOT NULL,
    asked_at timestamptz NOT NULL,
    turn_at timestamptz NOT NULL,
    cursor jsonb NOT NULL,
    total integer,
    done integer NOT NULL DEFAULT 0,
    segments integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    ended_at timestamptz,
    expires_at timestamptz
);
CREATE INDEX export_job_turn ON export_job (turn_at) WHERE state = 'running';
CREATE INDEX export_job_owner ON export_job (owner);
CREATE INDEX export_job_expiry ON export_job (expires_at);

-- What was written, in order: NDJSON lines of one type, compressed, in the object store under the job's and this number.
-- `size` and `crc` are of the lines, `stored` is the size of the object.
CREATE TABLE export_segment (
    job_id uuid NOT NULL,
    number integer NOT NULL,
    kind text NOT NULL,
    type text NOT NULL,
    lines integer NOT NULL,
    size bigint NOT NULL,
    crc bigint NOT NULL,
    stored bigint NOT NULL,
    PRIMARY KEY (job_id, number)
);

-- What the client did with a job: when it last asked how far it is, and that it cancelled it. Apart from the job, which
-- is held by who works on it: so nobody waits for the work.
CREATE TABLE export_client (
    job_id uuid PRIMARY KEY,
    polled_at timestamptz NOT NULL,
    cancelled_at timestamptz
);
