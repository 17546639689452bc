"""The use cases of the helpdesk: send a report, follow it by its reference, answer it."""

import secrets
from uuid import UUID

from esante.core import clock
from esante.core.journal import Actor, Journal
from esante.core.storage import NIL, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    decode_uuid_cursor,
    encode_cursor,
    network_of,
)
from esante.identity.access import Access, Requester
from esante.services.helpdesk import store
from esante.services.helpdesk.model import KINDS, Draft, Report, ReportAnswered, Reported
from esante.services.helpdesk.policy import policy_on

SHORTEST, LONGEST, LONGEST_LINE = 10, 4_000, 200
"""Characters of a report, and of one line of its form."""
MOST_COUNTED = 100
_ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
"""Characters that are distinguished on paper and by ear, as in presence codes."""
_LENGTH, _GROUP = 12, 4


class Helpdesk:
    """The reports that people send to the agency, and the answers to them; every act is journalled without texts."""

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._access = db, journal, access

    async def send(self, draft: Draft, requester: Requester | None, origin: str) -> Report:
        """Store a report from somebody who is signed in, or not (`requester` None); return it with its reference.

        Raises: Problem 400 for a kind that is unknown, or a text that is too short or too long, 429 after too many.
        """
        if draft.kind not in KINDS:
            raise bad_request("kind", N_("Choose what it is about."), code="value")
        text = _checked(draft.text, "text", SHORTEST, LONGEST)
        await self._count(requester, origin)
        report = Report(
            report_id=uuid7(),
            reference=new_reference(),
            at=clock.now(),
            kind=draft.kind,
            text=text,
            contact=_checked(draft.contact, "contact", 0, LONGEST_LINE),
            page=_checked(draft.page, "page", 0, LONGEST_LINE),
            language=draft.language,
            reporter_id=requester.id if requester else None,
            reporter_kind=requester.kind if requester else "",
            reporter=requester.name if requester else "",
        )
        event = Reported(report_id=report.report_id, kind=report.kind)
        person_id = requester.id if requester and requester.kind == "patient" else NIL
        actor = requester.actor if requester else Actor(kind="")
        entry = self._journal.rows(event, person_id=person_id, actor=actor, origin=origin)
        await self._db.write([store.report_row(report), *entry])
        return report

    async def follow(self, reference: str, requester: Requester | None, origin: str) -> Report:
        """Return the report with a reference. Raises: Problem 404 when there is none, 429 after too many attempts."""
        await self._count(requester, origin)
        found = await store.by_reference(self._db, normalize_reference(reference))
        if found is None:
            raise Problem(
                404,
                "not-found",
                N_("There is no report with this number."),
                place="reference",
                remedy=N_("Check the number. Reports are deleted some time after the answer."),
            )
        return found

    async def list_own(self, requester: Requester, cursor: str | None = None, limit: int = 20) -> Page[Report]:
        """Return a page of the requester's own reports, newest first. Raises: Problem 400 for a wrong cursor."""
        found = await store.of_reporter(self._db, requester.id, decode_uuid_cursor(cursor), limit + 1)
        return _page(found, limit)

    async def search(
        self,
        requester: Requester,
        text: str = "",
        kind: str = "",
        *,
        answered: bool = False,
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page[Report]:
        """Return a page of reports that are answered, or open, newest first, with every word of a text.

        Raises: Problem 403 for a requester who is not an operator, 400 for a wrong cursor.
        """
        _require_operator(requester)
        words = text.lower().split()
        before = decode_uuid_cursor(cursor)
        return _page(
            await store.search(self._db, words, kind, answered=answered, before=before, limit=limit + 1), limit
        )

    async def count_open(self) -> int:
        """Return how many reports have no answer; at most `MOST_COUNTED`."""
        return await store.count_open(self._db, MOST_COUNTED)

    async def find(self, requester: Requester, report_id: UUID) -> Report:
        """Return a report. Raises: Problem 403 for a requester who is not an operator, 404 when there is none."""
        _require_operator(requester)
        return _found(await store.by_id(self._db, report_id))

    async def answer(self, requester: Requester, report_id: UUID, text: str) -> None:
        """Answer a report.

        Raises: Problem 400 for a text that is too short or too long, 403 for a requester who is not an operator, 404
        when there is no such report, 409 when it is answered.
        """
        _require_operator(requester)
        text = _checked(text, "answer", 1, LONGEST)
        async with self._db.transaction() as conn:
            report = _found(await store.by_id(conn, report_id, lock=True))
            if report.answered_at is not None:
                raise Problem(409, "conflict", N_("This report is answered already."))
            await store.write_answer(conn, report_id, text, clock.now(), requester.name)
            person_id = (report.reporter_id or NIL) if report.reporter_kind == "patient" else NIL
            event = ReportAnswered(report_id=report_id, kind=report.kind)
            await insert(conn, self._journal.rows_for(requester, event, person_id=person_id))

    async def tidy(self) -> None:
        """Delete the reports whose time is over; to be run daily."""
        terms, now = policy_on(today()), clock.now()
        async with self._db.transaction() as conn:
            await store.delete_old(conn, now - terms.keep_answered, now - terms.keep_open)

    async def _count(self, requester: Requester | None, origin: str) -> None:
        """Count an attempt. Raises: Problem 429 after too many."""
        terms = policy_on(today())
        limits = {f"helpdesk:{network_of(origin)}": terms.per_origin}
        if requester:
            limits[f"helpdesk:{requester.id}"] = terms.per_requester
        await self._access.count_attempts(limits, terms.window, requester, origin)


def new_reference() -> str:
    """Return a random reference number (54 bits): whoever has it can follow the report."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(code[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def normalize_reference(text: str) -> str:
    """Return a reference as it is stored, without regard to case, blanks and dashes."""
    code = "".join(char for char in text[:LONGEST_LINE].upper() if char.isalnum())
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def _checked(text: str, place: str, shortest: int, longest: int) -> str:
    """Return a text without control characters; line breaks stay. Raises: Problem 400."""
    clean = "".join(char if char.isprintable() or char == "\n" else " " for char in text.replace("\r\n", "\n")).strip()
    if not shortest <= len(clean) <= longest:
        title = N_("This text is too short.") if len(clean) < shortest else N_("This text is too long.")
        remedy = N_("Give more details.") if len(clean) < shortest else N_("Use fewer words.")
        raise bad_request(place, title, remedy, code="value", detail=f"{shortest}-{longest}")
    return clean


def _page(found: list[Report], limit: int) -> Page[Report]:
    return Page(found[:limit], encode_cursor(found[limit - 1].report_id) if len(found) > limit else None)


def _found(report: Report | None) -> Report:
    if report is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return report


def _require_operator(requester: Requester) -> None:
    if requester.kind != "operator":
        raise Problem(403, "forbidden", N_("Only agency staff can read reports."))
