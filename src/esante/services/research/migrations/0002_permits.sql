-- Permits and approved data requests: `columns` is an object of arrays, by "dataset.table"; `expired_at`: when the end
-- was journalled. `holder`, `title` and `purpose` are as decided, for the public list.
CREATE TABLE research_permit (
    permit_id uuid PRIMARY KEY,
    application_id uuid NOT NULL UNIQUE,
    holder_id uuid NOT NULL,
    columns jsonb NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    withdrawn_at timestamptz,
    kind text NOT NULL,
    title text NOT NULL,
    purpose text NOT NULL,
    summary text NOT NULL,
    holder text NOT NULL,
    conditions text NOT NULL,
    reason text NOT NULL,
    issued_at timestamptz NOT NULL,
    expired_at timestamptz,
    CHECK (valid_to >= valid_from)
);
CREATE INDEX research_permit_valid_to ON research_permit (valid_to) WHERE expired_at IS NULL;
CREATE TABLE research_permit_member (
    permit_id uuid NOT NULL REFERENCES research_permit,
    account_id uuid NOT NULL,
    PRIMARY KEY (permit_id, account_id)
);
CREATE INDEX research_permit_member_account ON research_permit_member (account_id, permit_id);
