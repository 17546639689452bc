-- What the controller knows of each site: the facts of which bundles are made, the agent's key, its serials and receipts.
-- `identity`: the public key that signs requests, null before the enrolment; `token_id`: the token it enrolled with.
CREATE TABLE healthnet_connection (
    site text PRIMARY KEY,
    kind text NOT NULL,
    profession text NOT NULL,
    is_quarantined boolean NOT NULL,
    network6 cidr NOT NULL,
    network4 cidr,
    endpoint text NOT NULL,
    rate_kbit integer NOT NULL,
    mtu integer NOT NULL,
    is_revoked boolean NOT NULL DEFAULT false,
    is_suspended boolean NOT NULL DEFAULT false,
    identity bytea,
    token_id uuid,
    policy_version integer NOT NULL,
    serial bigint NOT NULL DEFAULT 0,
    receipt_serial bigint NOT NULL DEFAULT 0,
    outcome text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    in_force bigint NOT NULL DEFAULT 0,
    receipt_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX healthnet_connection_network6 ON healthnet_connection (network6) WHERE NOT is_revoked;
CREATE UNIQUE INDEX healthnet_connection_network4 ON healthnet_connection (network4) WHERE NOT is_revoked;
CREATE INDEX healthnet_connection_changed ON healthnet_connection (changed_at);

CREATE TABLE healthnet_tunnel_key (
    site text NOT NULL REFERENCES healthnet_connection,
    generation integer NOT NULL,
    public_key text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (site, generation)
);

-- Tokens of enrolment; their secrets are derived from the root key. `used_by`: the key of the agent that used it.
CREATE TABLE healthnet_token (
    token_id uuid PRIMARY KEY,
    site text NOT NULL REFERENCES healthnet_connection,
    expires_at timestamptz NOT NULL,
    used_by bytea
);
CREATE INDEX healthnet_token_site ON healthnet_token (site);

-- Sites of which something changed since bundles were made. `restores`: the serial whose content comes back.
CREATE TABLE healthnet_pending (
    site text PRIMARY KEY,
    restores bigint NOT NULL DEFAULT 0,
    is_forced boolean NOT NULL DEFAULT false,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- How often bundles were made: a process whose copy of the sites has another number reads them again.
CREATE TABLE healthnet_compilation (number bigint NOT NULL);
INSERT INTO healthnet_compilation VALUES (0);

CREATE TABLE healthnet_signed_bundle (
    site text NOT NULL,
    serial bigint NOT NULL,
    head text NOT NULL,
    signatures bytea NOT NULL,
    parts bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (site, serial)
);

-- The last heartbeat of each agent.
CREATE TABLE healthnet_status (
    site text PRIMARY KEY,
    received_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    serial bigint NOT NULL,
    version text NOT NULL,
    content bytea NOT NULL
);

CREATE TABLE healthnet_policy (
    version integer PRIMARY KEY,
    text text NOT NULL,
    is_in_force boolean NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX healthnet_policy_in_force ON healthnet_policy (is_in_force) WHERE is_in_force;

-- Roll-outs of policies. `stages`: percentages of sites; stage 0 is the canary group.
CREATE TABLE healthnet_rollout (
    rollout_id uuid PRIMARY KEY,
    policy_version integer NOT NULL REFERENCES healthnet_policy,
    before_version integer NOT NULL REFERENCES healthnet_policy,
    state text NOT NULL,
    stages integer[] NOT NULL,
    stage integer NOT NULL DEFAULT 0,
    stage_at timestamptz NOT NULL,
    tolerance integer NOT NULL,
    soak integer NOT NULL,
    patience integer NOT NULL,
    reason text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX healthnet_rollout_running ON healthnet_rollout ((state = 'running')) WHERE state = 'running';
CREATE TABLE healthnet_rollout_site (
    rollout_id uuid NOT NULL REFERENCES healthnet_rollout,
    site text NOT NULL,
    stage integer NOT NULL,
    moved_at timestamptz,
    prior_serial bigint NOT NULL DEFAULT 0,
    serial bigint NOT NULL DEFAULT 0,
    was_present boolean NOT NULL DEFAULT false,
    PRIMARY KEY (rollout_id, site)
);

-- Files of the agent that agents install by themselves.
CREATE TABLE healthnet_release (
    number integer PRIMARY KEY,
    manifest text NOT NULL,
    signature bytea NOT NULL,
    file bytea NOT NULL,
    created_at timestamptz NOT NULL
);
