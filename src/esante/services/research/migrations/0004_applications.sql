-- Applications for a data permit, and data requests, from the draft to the decision. `columns` as in research_permit;
-- `members`: email addresses of the people who are to use the data beside the applicant, separated by spaces.
-- `due_on`: the day by which a decision is due; `asked_at`: since when a question waits for the applicant.
CREATE TABLE research_application (
    application_id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES research_account ON DELETE CASCADE,
    kind text NOT NULL,
    state text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    purpose text NOT NULL,
    aim text NOT NULL,
    necessity text NOT NULL,
    safeguards text NOT NULL,
    question text NOT NULL,
    columns jsonb NOT NULL,
    members text NOT NULL,
    months integer NOT NULL,
    lawful boolean NOT NULL,
    saved_at timestamptz NOT NULL,
    submitted_at timestamptz,
    due_on date,
    asked_at timestamptz,
    decided_at timestamptz,
    reason text NOT NULL,
    CHECK ((state = 'draft') <= (submitted_at IS NULL)),
    CHECK ((state = 'asked') = (asked_at IS NOT NULL))
);
CREATE INDEX research_application_account ON research_application (account_id, application_id);
CREATE INDEX research_application_state ON research_application (state, application_id);
-- Questions of the access body and answers of the applicant.
CREATE TABLE research_message (
    message_id uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES research_application,
    at timestamptz NOT NULL,
    from_authority boolean NOT NULL,
    author_id uuid NOT NULL,
    author text NOT NULL,
    text text NOT NULL
);
CREATE INDEX research_message_application ON research_message (application_id, message_id);
-- Decisions that an operator proposes and another confirms or rejects.
CREATE TABLE research_proposal (
    proposal_id uuid PRIMARY KEY,
    application_id uuid NOT NULL REFERENCES research_application,
    operator_id uuid NOT NULL,
    operator text NOT NULL,
    at timestamptz NOT NULL,
    grants boolean NOT NULL,
    columns jsonb NOT NULL,
    months integer NOT NULL,
    conditions text NOT NULL,
    reason text NOT NULL,
    checker_id uuid,
    checker text NOT NULL,
    checked_at timestamptz,
    confirmed boolean NOT NULL,
    remark text NOT NULL,
    CHECK (checker_id IS DISTINCT FROM operator_id)
);
CREATE UNIQUE INDEX research_proposal_open ON research_proposal (application_id) WHERE checked_at IS NULL;
CREATE INDEX research_proposal_application ON research_proposal (application_id, proposal_id);
