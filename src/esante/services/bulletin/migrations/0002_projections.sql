-- What an issue projected, as it was told then: never made again, so that it can be held against what came.
CREATE TABLE bulletin_projection (
    period text NOT NULL,
    indicator text NOT NULL,
    model text NOT NULL,
    method integer NOT NULL,
    points jsonb NOT NULL,
    PRIMARY KEY (period, indicator)
);
CREATE TRIGGER bulletin_projection_immutable BEFORE UPDATE OR DELETE ON bulletin_projection
    FOR EACH ROW EXECUTE FUNCTION bulletin_immutable();
