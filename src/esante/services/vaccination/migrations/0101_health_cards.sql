-- SMART Health Cards that persons made. `rid` is the random identifier by which a card is revoked; `dose_ids` the keys of
-- its doses, with spaces between; `jws` the signed card, empty once it is revoked, and where it is `linked`: a file of a
-- link, which the server cannot read.
CREATE TABLE health_card (
    person_id uuid NOT NULL,
    card_id uuid NOT NULL,
    kid text NOT NULL,
    rid text NOT NULL,
    dose_ids text NOT NULL,
    jws text NOT NULL,
    linked boolean NOT NULL,
    issued_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (person_id, card_id)
);

-- The identifiers of revoked cards, without persons, as they are published.
CREATE TABLE health_card_revocation (
    kid text NOT NULL,
    rid text NOT NULL,
    revoked_at timestamptz NOT NULL,
    PRIMARY KEY (kid, rid)
);

-- The public keys of the issuer. `retired_at`: from then on it signed nothing; `compromised`: it is not published.
CREATE TABLE health_card_key (
    kid text PRIMARY KEY,
    jwk jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    compromised boolean NOT NULL DEFAULT false
);
