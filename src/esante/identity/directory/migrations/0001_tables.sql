-- Who is who. Read often, written seldom, searched across persons: reference tables, a copy on every node.
-- The `..._key` columns hold names as they are compared (rules.normalised), sorted by their bytes.

CREATE TABLE person (
    id uuid PRIMARY KEY,
    family text NOT NULL,
    given jsonb NOT NULL,
    family_key text COLLATE "C" NOT NULL,
    given_key text COLLATE "C" NOT NULL,
    birth_date date NOT NULL,
    sex text NOT NULL,
    address jsonb NOT NULL,
    languages jsonb NOT NULL,
    deceased_at timestamptz
);
CREATE INDEX person_traits ON person (family_key, birth_date);

-- An identifier belongs to one holder; `value` leads, for searches that name no system.
CREATE TABLE person_identifier (
    person_id uuid NOT NULL,
    system text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (value, system)
);
CREATE INDEX person_identifier_holder ON person_identifier (person_id);

CREATE TABLE organization (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    address jsonb NOT NULL
);
CREATE INDEX organization_name ON organization (name_key, id);

CREATE TABLE organization_identifier (
    organization_id uuid NOT NULL,
    system text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (value, system)
);
CREATE INDEX organization_identifier_holder ON organization_identifier (organization_id);

CREATE TABLE practitioner (
    id uuid PRIMARY KEY,
    family text NOT NULL,
    given jsonb NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    title text NOT NULL,
    profession text NOT NULL,
    specialities jsonb NOT NULL,
    languages jsonb NOT NULL
);
CREATE INDEX practitioner_name ON practitioner (name_key, id);

CREATE TABLE practitioner_identifier (
    practitioner_id uuid NOT NULL,
    system text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (value, system)
);
CREATE INDEX practitioner_identifier_holder ON practitioner_identifier (practitioner_id);

-- `until` is exclusive; NULL: the role goes on.
CREATE TABLE practitioner_role (
    id uuid PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    profession text NOT NULL,
    specialities jsonb NOT NULL,
    since date NOT NULL,
    until date
);
CREATE INDEX practitioner_role_practitioner ON practitioner_role (practitioner_id);
CREATE INDEX practitioner_role_organization ON practitioner_role (organization_id);
