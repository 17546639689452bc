-- Other legal categories of document classes than the packaged ones: they count from a day on, once a second operator has
-- confirmed them.
CREATE TABLE access_assignment (
    change_id uuid PRIMARY KEY,
    document_class text NOT NULL,
    category text NOT NULL,
    valid_from date NOT NULL,
    legal_source text NOT NULL,
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL,
    proposer text NOT NULL,
    confirmed_at timestamptz,
    confirmed_by uuid,
    confirmer text NOT NULL DEFAULT '',
    CHECK (confirmed_by <> proposed_by),
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL))
);
