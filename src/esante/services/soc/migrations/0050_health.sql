-- Facts of the health detections, of the journal: kept for days (health_terms.toml), then deleted. A user is who acted, the
-- principal for whom; `evidence`: entries of the journal.
CREATE TABLE soc_visit (
    person_id uuid NOT NULL,
    user_id uuid NOT NULL,
    day date NOT NULL,
    principal_id uuid NOT NULL,
    user_kind text NOT NULL,
    profession text NOT NULL,
    organization_id uuid,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    opened integer NOT NULL,
    listed integer NOT NULL,
    refused integer NOT NULL,
    by_code boolean NOT NULL,
    in_emergency boolean NOT NULL,
    evidence uuid[] NOT NULL,
    explained boolean,
    PRIMARY KEY (person_id, user_id, day)
);
CREATE INDEX soc_visit_due ON soc_visit (last_at) WHERE explained IS NULL;
CREATE INDEX soc_visit_user ON soc_visit (user_id, day);
CREATE INDEX soc_visit_day ON soc_visit (day);
-- How many visits of a user were judged, and how many of them nothing explained.
CREATE TABLE soc_visit_habit (
    user_id uuid PRIMARY KEY,
    judged bigint NOT NULL,
    unexplained bigint NOT NULL
);

CREATE TABLE soc_care_contact (
    person_id uuid NOT NULL,
    holder_id uuid NOT NULL,
    kind text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (person_id, holder_id, kind)
);
CREATE INDEX soc_care_contact_last ON soc_care_contact (last_at);

CREATE TABLE soc_stay (
    person_id uuid NOT NULL,
    stay_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    proved boolean NOT NULL,
    judged boolean NOT NULL DEFAULT false,
    PRIMARY KEY (person_id, stay_id)
);
CREATE INDEX soc_stay_due ON soc_stay (began_at) WHERE NOT judged;

CREATE TABLE soc_emergency (
    person_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    user_id uuid NOT NULL,
    principal_id uuid NOT NULL,
    user_kind text NOT NULL,
    profession text NOT NULL,
    organization_id uuid,
    at timestamptz NOT NULL,
    followed boolean,
    PRIMARY KEY (person_id, entry_id)
);
CREATE INDEX soc_emergency_due ON soc_emergency (at) WHERE followed IS NULL;
CREATE INDEX soc_emergency_profession ON soc_emergency (profession, at);

CREATE TABLE soc_user_hour (
    user_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    principal_id uuid NOT NULL,
    user_kind text NOT NULL,
    profession text NOT NULL,
    organization_id uuid,
    persons integer NOT NULL,
    shown integer NOT NULL,
    refusals integer NOT NULL,
    lookups integer NOT NULL,
    unknown integer NOT NULL,
    sweeps integer NOT NULL,
    evidence uuid[] NOT NULL,
    judged boolean NOT NULL DEFAULT false,
    PRIMARY KEY (user_id, hour)
);
CREATE INDEX soc_user_hour_due ON soc_user_hour (hour) WHERE NOT judged;
CREATE INDEX soc_user_hour_profession ON soc_user_hour (profession, hour) WHERE persons > 0;

CREATE TABLE soc_presence (
    user_id uuid NOT NULL,
    first_at timestamptz NOT NULL,
    principal_id uuid NOT NULL,
    user_kind text NOT NULL,
    profession text NOT NULL,
    organization_id uuid,
    network text NOT NULL,
    software text NOT NULL,
    site text NOT NULL,
    last_at timestamptz NOT NULL,
    acts integer NOT NULL,
    evidence uuid[] NOT NULL,
    PRIMARY KEY (user_id, first_at)
);
CREATE INDEX soc_presence_last ON soc_presence (user_id, last_at);

CREATE TABLE soc_billed_act (
    person_id uuid NOT NULL,
    note_id uuid NOT NULL,
    number integer NOT NULL,
    biller_id uuid NOT NULL,
    provider_code text NOT NULL,
    organization_id uuid,
    profession text NOT NULL,
    code text NOT NULL,
    day date NOT NULL,
    quantity integer NOT NULL,
    inpatient boolean NOT NULL,
    entry_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (person_id, note_id, number)
);
CREATE INDEX soc_billed_act_biller ON soc_billed_act (biller_id, day);
CREATE INDEX soc_billed_act_profession ON soc_billed_act (profession, day);
CREATE INDEX soc_billed_act_note ON soc_billed_act (note_id);

-- Persons of whom every opening is looked at: watched, or invented. Proposed and confirmed by two operators; what has
-- ended stays. `reason`: in the operators' words.
CREATE TABLE soc_marked_person (
    person_id uuid NOT NULL,
    mark text NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    ended_by text,
    ended_at timestamptz,
    PRIMARY KEY (person_id, mark)
);
-- An invented person that is proposed: registered in the directory when a second operator confirms.
CREATE TABLE soc_invented_person (
    person_id uuid PRIMARY KEY,
    entry jsonb NOT NULL
);
