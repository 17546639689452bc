-- What of the synthetic country is loaded: each step is noted in the transaction of its rows, so that a load
-- that was broken off goes on where it stopped. `detail` of the step "world" says which country it is.
CREATE TABLE demo_step (
    step text PRIMARY KEY,
    detail jsonb NOT NULL,
    done_at timestamptz NOT NULL DEFAULT now()
);
