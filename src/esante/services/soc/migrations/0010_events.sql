-- Events of members, by day of receipt (UTC): `event_id` is a UUIDv7 of the moment of receipt. `occurred_at`: what the original says. `clock_is_off`: its sender's clock is. `fault`: why it could not be normalised.
-- `rules`: keys of the rules that it met, with line breaks between. The event itself is at `place` in its block.
CREATE TABLE soc_event (
    event_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    source_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    occurred_at timestamptz,
    clock_is_off boolean NOT NULL,
    class_uid integer NOT NULL,
    severity smallint NOT NULL,
    key text NOT NULL,
    host text NOT NULL,
    user_name text NOT NULL,
    ip text NOT NULL,
    summary text NOT NULL,
    rules text NOT NULL,
    fault text NOT NULL,
    block_id uuid NOT NULL,
    place smallint NOT NULL
) PARTITION BY RANGE (event_id);
CREATE INDEX soc_event_newest ON soc_event (event_id);
CREATE INDEX soc_event_tenant ON soc_event (tenant_id, event_id);
CREATE INDEX soc_event_host ON soc_event (host, event_id) WHERE host <> '';
CREATE INDEX soc_event_user ON soc_event (user_name, event_id) WHERE user_name <> '';
CREATE INDEX soc_event_ip ON soc_event (ip, event_id) WHERE ip <> '';
CREATE INDEX soc_event_rules ON soc_event (tenant_id, event_id) WHERE rules <> '';
CREATE INDEX soc_event_fault ON soc_event (source_id, event_id) WHERE fault <> '';

-- Events in OCSF with their originals, JSON lines compressed together: 4 bytes of size, and Zstandard. Of one member.
CREATE TABLE soc_event_block (
    block_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (block_id)
) PARTITION BY RANGE (block_id);
ALTER TABLE soc_event_block ALTER COLUMN content SET STORAGE EXTERNAL;
