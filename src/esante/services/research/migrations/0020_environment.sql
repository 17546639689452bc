-- Data of permits as of a moment, each in a folder of its own; a step of the work is one transaction. One permit has one
-- extraction that is made, and one that is used.
CREATE TABLE research_extraction (
    extraction_id uuid PRIMARY KEY,
    permit_id uuid NOT NULL,
    state text NOT NULL,
    place uuid NOT NULL,
    parts integer NOT NULL,
    persons_done bigint NOT NULL,
    persons_total bigint NOT NULL,
    persons bigint NOT NULL,
    rows bigint NOT NULL,
    left_out bigint NOT NULL,
    failures integer NOT NULL,
    failure text NOT NULL,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    as_of timestamptz,
    ended_at timestamptz,
    turn_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX research_extraction_running ON research_extraction (permit_id) WHERE state = 'running';
CREATE INDEX research_extraction_permit ON research_extraction (permit_id, extraction_id);

-- Jobs over the extraction of a permit: the text, who asked for it, what became of it.
CREATE TABLE research_job (
    job_id uuid PRIMARY KEY,
    permit_id uuid NOT NULL,
    account_id uuid NOT NULL,
    account text NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    protect boolean NOT NULL,
    state text NOT NULL,
    failure text NOT NULL,
    message text NOT NULL,
    line integer NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    beat_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX research_job_permit ON research_job (permit_id, job_id);
CREATE INDEX research_job_open ON research_job (created_at) WHERE state IN ('waiting', 'running');

-- Tables that jobs made: as CSV, with what the check found in them, and what people decided.
CREATE TABLE research_output (
    output_id uuid PRIMARY KEY,
    job_id uuid NOT NULL REFERENCES research_job,
    permit_id uuid NOT NULL,
    name text NOT NULL,
    content bytea NOT NULL,
    rows integer NOT NULL,
    verdict text NOT NULL,
    findings jsonb NOT NULL,
    state text NOT NULL,
    made_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX research_output_job ON research_output (job_id);
CREATE INDEX research_output_permit ON research_output (permit_id, output_id);
CREATE INDEX research_output_waiting ON research_output (output_id) WHERE state = 'waiting';
CREATE TABLE research_output_review (
    output_id uuid NOT NULL REFERENCES research_output,
    reviewer_id uuid NOT NULL,
    reviewer text NOT NULL,
    released boolean NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (output_id, reviewer_id)
);
