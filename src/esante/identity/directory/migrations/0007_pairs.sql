-- Pairs of entries that may be of one person, as the last search for duplicates found them; `first_id` is the smaller key.
-- State "open" waits for an operator, "different": one said that they are of two people, and no later search asks again.
CREATE TABLE directory_pair (
    first_id uuid NOT NULL,
    second_id uuid NOT NULL,
    bits double precision NOT NULL,
    grade text NOT NULL,
    found_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open',
    judged_at timestamptz,
    judged_by uuid,
    judge text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (first_id, second_id)
);
CREATE INDEX directory_pair_queue ON directory_pair (state, bits DESC, first_id, second_id);
CREATE INDEX directory_pair_second ON directory_pair (second_id);
