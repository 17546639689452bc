-- How far the lake has read the journal, by the recipe's way of reading it.
CREATE TABLE bulletin_lake (
    reader text PRIMARY KEY,
    seq bigint NOT NULL
);

-- The files of the lake: what is not here is not in it. Written with the step of the cursor.
CREATE TABLE bulletin_part (
    reader text NOT NULL,
    period text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    events bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (reader, period, first_seq)
);

-- The state of all records at the end of a month, by what it was made from: a cache, made again when missing.
CREATE TABLE bulletin_subjects (
    source bytea PRIMARY KEY,
    digest bytea NOT NULL
);

CREATE TABLE bulletin_vintage (
    period text NOT NULL,
    number integer NOT NULL,
    as_of timestamptz NOT NULL,
    status text NOT NULL,
    method integer NOT NULL,
    reason text NOT NULL,
    seq bigint NOT NULL,
    source bytea NOT NULL,
    recipe bytea NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (period, number)
);

-- `value` and `flag` are what is published; `exact` and `guarded` never leave the room.
CREATE TABLE bulletin_cell (
    period text NOT NULL,
    number integer NOT NULL,
    place integer NOT NULL,
    indicator text NOT NULL,
    breakdown text NOT NULL,
    value_of text NOT NULL,
    value double precision,
    flag text NOT NULL,
    exact double precision,
    guarded double precision NOT NULL,
    PRIMARY KEY (period, number, place),
    UNIQUE (indicator, breakdown, value_of, period, number)
);

CREATE TABLE bulletin_finding (
    period text NOT NULL,
    number integer NOT NULL,
    code text NOT NULL,
    subject text NOT NULL,
    found double precision NOT NULL,
    expected double precision,
    serious boolean NOT NULL,
    acknowledged_by text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (period, number, code, subject)
);

CREATE TABLE bulletin_release (
    period text NOT NULL,
    number integer NOT NULL,
    state text NOT NULL,
    built_by text NOT NULL,
    released_by text NOT NULL DEFAULT '',
    embargo_until timestamptz,
    released_at timestamptz,
    PRIMARY KEY (period, number)
);

-- A vintage is never changed: a correction is another vintage.
CREATE FUNCTION bulletin_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a vintage is never changed; make another one';
END $$;
CREATE TRIGGER bulletin_vintage_immutable BEFORE UPDATE OR DELETE ON bulletin_vintage
    FOR EACH ROW EXECUTE FUNCTION bulletin_immutable();
CREATE TRIGGER bulletin_cell_immutable BEFORE UPDATE OR DELETE ON bulletin_cell
    FOR EACH ROW EXECUTE FUNCTION bulletin_immutable();
