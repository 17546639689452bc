-- What operators ask the professional whose emergency access they review, and the reply.
CREATE TABLE access_review_question (
    question_id uuid PRIMARY KEY,
    grant_id uuid NOT NULL,
    practitioner_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    question text NOT NULL,
    reply text NOT NULL DEFAULT '',
    replied_at timestamptz
);
CREATE INDEX access_review_question_grant ON access_review_question (grant_id, question_id);
CREATE INDEX access_review_question_open ON access_review_question (practitioner_id) WHERE replied_at IS NULL;
-- How often somebody used such an access before.
CREATE INDEX access_review_holder ON access_review (practitioner_id, declared_at);
