-- Messages between contact points, without anything about a person: for statements, figures and operators. The journal
-- has the entry of each, which names the patient and the professional.
CREATE TABLE exchange_message (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    side text NOT NULL,
    transaction text NOT NULL,
    content text NOT NULL,
    country text NOT NULL,
    outcome text NOT NULL,
    took_ms integer NOT NULL,
    message_id text NOT NULL,
    answer_id text NOT NULL,
    request_hash text NOT NULL,
    answer_hash text NOT NULL
);
CREATE INDEX exchange_message_at ON exchange_message (at);
CREATE INDEX exchange_message_country ON exchange_message (country, at);
