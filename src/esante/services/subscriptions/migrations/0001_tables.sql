-- Who asked to be told of what, and where. `headers` are sent along with every notification and shown to nobody.
-- `claim` and `claimed_until`: the process that is at it, until when; past that another one takes over.
CREATE TABLE subscription (
    subscription_id uuid PRIMARY KEY,
    owner_kind text NOT NULL,
    owner_id uuid NOT NULL,
    organization_id uuid,
    client_id text NOT NULL,
    owner jsonb NOT NULL,
    topic text NOT NULL,
    patient_id uuid,
    origin text NOT NULL,
    headers text NOT NULL,
    wish bytea NOT NULL,
    words text NOT NULL,
    status text NOT NULL,
    error text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 1,
    since timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    notified_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    retry_at timestamptz NOT NULL DEFAULT '-infinity',
    claim uuid,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity'
);
-- An event is matched by who may see it, so that its cost does not grow with the number of subscriptions.
CREATE INDEX subscription_owner ON subscription (owner_id);
CREATE INDEX subscription_organization ON subscription (organization_id);
CREATE INDEX subscription_patient ON subscription (patient_id);
CREATE INDEX subscription_handshake ON subscription (retry_at) WHERE status = 'requested';

-- What happened, for each subscription in the order of `place`. `number` is given when it is told: what is never
-- told leaves no gap.
CREATE TABLE subscription_event (
    subscription_id uuid NOT NULL,
    place bigint GENERATED ALWAYS AS IDENTITY,
    entry_id uuid NOT NULL,
    person_id uuid NOT NULL,
    focus_type text NOT NULL,
    focus_id uuid NOT NULL,
    at timestamptz NOT NULL,
    number bigint,
    told boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'waiting',
    settled_at timestamptz,
    PRIMARY KEY (subscription_id, place),
    UNIQUE (subscription_id, entry_id, focus_id)
);
CREATE INDEX subscription_event_waiting ON subscription_event (subscription_id, place) WHERE state = 'waiting';
CREATE INDEX subscription_event_number ON subscription_event (subscription_id, number);
CREATE INDEX subscription_event_settled ON subscription_event (settled_at) WHERE state <> 'waiting';

-- Deliveries that failed for good, until somebody decides: of the events up to place `upto`; 0: of the handshake.
CREATE TABLE subscription_letter (
    subscription_id uuid PRIMARY KEY,
    letter_id uuid NOT NULL UNIQUE,
    upto bigint NOT NULL,
    count integer NOT NULL,
    oldest timestamptz,
    attempts integer NOT NULL,
    error text NOT NULL,
    failed_at timestamptz NOT NULL
);
