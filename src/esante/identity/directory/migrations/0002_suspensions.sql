-- Professionals, organisations and persons who may not use the platform now, for example struck off. What they wrote stays.
CREATE TABLE directory_suspension (
    holder_id uuid PRIMARY KEY,
    holder_kind text NOT NULL,
    since timestamptz NOT NULL,
    reason text NOT NULL
);
