"""Questions in a review: an operator asks the professional whose emergency access is reviewed, who replies.

The texts are in the review only; the journal has who asked and replied when, filed under the person of the record.
"""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, clean_text
from esante.identity.access.authn.requesters import require_operator
from esante.identity.access.consent.break_glass import MAX_NOTE
from esante.identity.access.events import ReviewQuestionAnswered, ReviewQuestionAsked
from esante.identity.access.model import Requester
from esante.identity.access.reviews import question_store, review_store
from esante.identity.access.reviews.question_store import Question

_SHORTEST = 10
"""Characters of a question or a reply at least."""


class ReviewQuestions:
    """Asks, lists and takes replies."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def ask(self, requester: Requester, grant_id: UUID, text: str) -> Question:
        """Ask the professional of a pending review of an emergency access.

        Raises: Problem 400 for a text that is too short or too long, 403 for a requester who is not an operator, 404
        when there is no such review, 409 when it is done.
        """
        require_operator(requester)
        text = clean_text(text, _SHORTEST, MAX_NOTE, "question")
        async with self._db.transaction() as conn:
            review = await review_store.fetch_review(conn, grant_id, lock=True)
            if review is None or review.kind != "emergency":
                raise Problem(404, "not-found", NOT_FOUND)
            if review.reviewed_at is not None:
                raise Problem(409, "conflict", N_("This access is reviewed already."))
            question = Question(
                question_id=uuid7(),
                grant_id=grant_id,
                practitioner_id=review.practitioner_id,
                asked_at=clock.now(),
                asked_by=requester.name,
                question=text,
            )
            event = ReviewQuestionAsked(
                grant_id=grant_id, question_id=question.question_id, practitioner_id=review.practitioner_id
            )
            entry = self._journal.rows_for(requester, event, person_id=review.person_id)
            await insert(conn, [question_store.question_row(question), *entry])
        return question

    async def reply(self, requester: Requester, question_id: UUID, text: str) -> None:
        """Reply to a question.

        Raises: Problem 400 for a text that is too short or too long, 404 when there is no such question to the
        requester, 409 when it has a reply or the review is done.
        """
        text = clean_text(text, _SHORTEST, MAX_NOTE, "reply")
        async with self._db.transaction() as conn:
            question = await question_store.lock_question(conn, question_id)
            if question is None or question.practitioner_id != requester.id:
                raise Problem(404, "not-found", NOT_FOUND)
            review = await review_store.fetch_review(conn, question.grant_id, lock=True)
            if review is None or review.reviewed_at is not None or question.replied_at is not None:
                raise Problem(409, "conflict", N_("This question can no longer be answered."))
            await question_store.write_reply(conn, question_id, text, clock.now())
            event = ReviewQuestionAnswered(grant_id=question.grant_id, question_id=question_id)
            await self._journal.append_for(requester, event, person_id=review.person_id, conn=conn)

    async def list_of_review(self, requester: Requester, grant_id: UUID) -> list[Question]:
        """Return the questions of a review, oldest first. Raises: Problem 403 for others than operators."""
        require_operator(requester)
        return await question_store.fetch_questions(self._db, grant_id)

    async def list_open(self, requester: Requester, limit: int = 20) -> list[Question]:
        """Return the questions to a professional that wait for a reply, oldest first."""
        return await question_store.fetch_open_questions(self._db, requester.id, limit)
