-- Agreements with networks of other operators, each as it was proposed; one of a federation is in force at a time.
-- `site`: the site of the controller that stands for the other network; `document`: what the other operator signed.
CREATE SEQUENCE healthnet_federation_number MAXVALUE 99999;
CREATE TABLE healthnet_agreement (
    agreement_id uuid PRIMARY KEY,
    federation text NOT NULL,
    site text NOT NULL,
    kind text NOT NULL,
    peer_key text NOT NULL,
    number integer NOT NULL,
    network6 cidr NOT NULL,
    network4 cidr,
    uses text[] NOT NULL,
    offers text[] NOT NULL,
    sites text[] NOT NULL,
    valid_from date NOT NULL,
    valid_until date NOT NULL,
    document text NOT NULL,
    state text NOT NULL,
    proposed_at timestamptz NOT NULL,
    proposed_by text NOT NULL,
    proposed_by_id uuid NOT NULL,
    decided_at timestamptz,
    decided_by text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    UNIQUE (federation, number)
);
CREATE UNIQUE INDEX healthnet_agreement_active ON healthnet_agreement (federation) WHERE state = 'active';
CREATE UNIQUE INDEX healthnet_agreement_proposed ON healthnet_agreement (federation) WHERE state = 'proposed';
