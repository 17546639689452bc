-- What happened, in the words of the rooms. Kept by person; a row is never updated but by the end of its
-- retention, which takes `salt` and `content` away.
CREATE TABLE journal_entry (
    person_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    at timestamptz NOT NULL,
    type text NOT NULL,
    salt bytea,
    content bytea,
    PRIMARY KEY (person_id, entry_id)
) PARTITION BY RANGE (entry_id);
-- Rows lie in the order of time: a range of it is found by a few bytes per block.
CREATE INDEX journal_entry_time ON journal_entry USING brin (entry_id) WITH (pages_per_range = 32);

-- Written with each entry, taken away by the sealer: what still has no place in the tree.
CREATE TABLE journal_pending (
    person_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    digest bytea NOT NULL
);

-- The leaves of the tree: `seq` has no gaps; `number` counts the entries of one person, from 1, without gaps.
CREATE TABLE journal_leaf (
    seq bigint PRIMARY KEY,
    entry_id uuid NOT NULL,
    person_id uuid NOT NULL,
    number bigint NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX journal_leaf_entry ON journal_leaf (entry_id);

-- How many sealed entries each person has.
CREATE TABLE journal_person (
    person_id uuid PRIMARY KEY,
    entries bigint NOT NULL
);

-- Roots of complete subtrees of 16^level leaves: what proofs need without reading every leaf.
CREATE TABLE journal_node (
    level smallint NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (level, position)
);

CREATE TABLE journal_checkpoint (
    size bigint PRIMARY KEY,
    sealed_at timestamptz NOT NULL,
    root bytea NOT NULL,
    frontier bytea NOT NULL,
    note text NOT NULL
);

-- How far each reader has come.
CREATE TABLE journal_cursor (
    reader text PRIMARY KEY,
    seq bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    retry_at timestamptz NOT NULL DEFAULT '-infinity'
);
