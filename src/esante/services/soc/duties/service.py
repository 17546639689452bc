"""The use cases of duties: state facts, see clocks, draft, approve by two people, mark as sent, export."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.time_zone import day_of, time_zone
from esante.core.web import (
    LANGUAGES,
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    current_agency,
    decode_offset_cursor,
    encode_cursor,
    translator,
)
from esante.identity.access import Requester
from esante.services.soc.cases import case_store
from esante.services.soc.cases.events import CaseRead
from esante.services.soc.cases.model import Case
from esante.services.soc.cases.states import require_active, require_real
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.duties import duty_store
from esante.services.soc.duties.draft_text import PLACEHOLDER, Known, draft_sections
from esante.services.soc.duties.model import (
    MOMENTS,
    Facts,
    FactsStated,
    Notification,
    NotificationApproved,
    NotificationDrafted,
    NotificationExported,
    NotificationSent,
    Owed,
    RuleSet,
)
from esante.services.soc.duties.rule_file import packaged_rules
from esante.services.soc.duties.rules import owed_duties, sets_on
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage import triage_store

PAGE_SIZE = 50
LONGEST_SECTION = 8_000
LONGEST_RECEIPT = 200
MOST_CASES = 2_000
_TOLERANCE = timedelta(minutes=5)
"""By how much a moment that somebody enters may be ahead of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyView:
    """What is owed for a case: under the rules in force, and under drafts; `stated`: version, moment and name."""

    case: Case
    facts: Facts | None
    stated: tuple[int, datetime, str] | None
    owed: Sequence[Owed]
    drafted: Sequence[tuple[RuleSet, Sequence[Owed]]]
    notifications: Mapping[str, Notification]

    def owed_of(self, duty: str) -> Owed | None:
        """Return what is owed by a duty, or None."""
        return next((one for one in self.owed if one.duty.key == duty), None)


class Duties:
    """The duties to notify of all cases."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants

    async def view(self, requester: Requester, case_id: UUID) -> DutyView:
        """Return what is owed for a case, and journal that it was read. Raises: Problem 404."""
        case = await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        event = CaseRead(tenant_id=case.tenant_id, case_id=case_id, part="duties")
        await self._journal.append_for(requester, event)
        return await self._view(self._db, case)

    async def proposed_facts(self, requester: Requester, case_id: UUID) -> Facts:
        """Return the facts with which the form of a case begins: detected when its first alert was raised."""
        case = await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        alerts = await triage_store.fetch_of_case(self._db, case_id, 300)
        return Facts(detected_at=min([one.raised_at for one in alerts], default=case.opened_at))

    async def clocks(self, requester: Requester) -> list[tuple[Case, Owed]]:
        """Return the duties of active cases that were not sent, those first whose time ends first.

        Raises: Problem 404.
        """
        scope = await self._tenants.scope_of(requester)
        found = await case_store.fetch_for_clocks(self._db, scope, MOST_CASES)
        sent = await duty_store.fetch_sent(self._db, [case.case_id for case, _, _ in found])
        clocks = [
            (case, owed)
            for case, text, _ in found
            for owed in _owed(duty_store.read_facts(text), sent.get(case.case_id, {}))
            if owed.sent_at is None
        ]
        far = datetime.max.replace(tzinfo=time_zone())
        return sorted(clocks, key=lambda one: (one[1].due_at or far, one[0].case_id))

    async def clocks_page(
        self, requester: Requester, text: str, language: str, cursor: str | None = None
    ) -> Page[tuple[Case, Owed]]:
        """Return a page of the clocks; `text`: a part of the case's title or reference, or of the duty in a language.

        Raises: Problem 404, 400.
        """
        skip, gettext = decode_offset_cursor(cursor), translator(language).gettext
        found = [
            (case, owed)
            for case, owed in await self.clocks(requester)
            if text.lower() in f"{case.title} {case.reference} {gettext(owed.duty.label)}".lower()
        ]
        shown = found[skip : skip + PAGE_SIZE]
        return Page(shown, encode_cursor(skip + PAGE_SIZE) if len(found) > skip + PAGE_SIZE else None)

    async def count_late(self, requester: Requester) -> int:
        """Return how many duties that somebody sees are late. Raises: Problem 404."""
        now = clock.now()
        return sum(owed.is_late(now) for _, owed in await self.clocks(requester))

    async def count_unsent(self, conn: Connection, case: Case) -> int:
        """Return how many duties of a case were not sent."""
        view = await self._view(conn, case)
        return sum(1 for one in view.owed if one.sent_at is None)

    async def state(self, requester: Requester, case_id: UUID, facts: Facts) -> Sequence[Owed]:
        """State the facts of a case, as a new version; return what is owed.

        Raises: Problem 404, 409 for a closed case and for an exercise, 400 for moments out of order or in the future.
        """
        scope = await self._tenants.scope_of(requester)
        _check_moments(facts)
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            require_active(case)
            require_real(case)
            before = await duty_store.fetch_facts(conn, case_id)
            version = before[1] + 1 if before else 1
            sent = (await duty_store.fetch_sent(conn, [case_id])).get(case_id, {})
            owed = _owed(facts, sent)
            keys = tuple(one.duty.key for one in owed)
            event = FactsStated(tenant_id=case.tenant_id, case_id=case_id, version=version, duties=keys)
            row = duty_store.facts_row(case_id, version, facts, clock.now(), requester.name)
            await insert(conn, [row, *act_rows(self._journal, requester, case, event, "facts")])
        return owed

    async def draft(self, requester: Requester, case_id: UUID, duty: str, language: str) -> None:
        """Begin the notification of a duty in a language, with what is known; one that was begun begins anew.

        Raises: Problem 404 for a duty that is not owed, 400 for an unknown language, 409 for one that was sent.
        """
        if language not in LANGUAGES:
            raise bad_request("language", N_("Choose a value of the list."), code="value")
        scope = await self._tenants.scope_of(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            view = await self._view(conn, case)
            owed = _require_owed(view, duty)
            assert view.facts is not None
            tenant = await self._tenants.tenant(requester, case.tenant_id)
            known = Known(
                case=case,
                organization=tenant.name or current_agency().agency_name.of(language),
                facts=view.facts,
                owed=owed,
                alerts=await triage_store.fetch_of_case(conn, case_id, 300),
                tasks=await case_store.fetch_tasks(conn, case_id),
            )
            sections = draft_sections(known, language)
            await self._write(conn, requester, view, duty, language, sections)

    async def edit(
        self, requester: Requester, case_id: UUID, duty: str, sections: Mapping[str, str], version: int
    ) -> None:
        """Change the text of a notification; its approvals end.

        Raises: Problem 404, 400 for a text that is too long, 409 for one that was sent, or changed since `version`.
        """
        scope = await self._tenants.scope_of(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            view = await self._view(conn, case)
            known = _require_version(_require_notification(view, duty), version)
            texts = {key: _clean(sections.get(key, text), key) for key, text in known.sections.items()}
            if texts != known.sections:
                await self._write(conn, requester, view, duty, known.language, texts)

    async def approve(self, requester: Requester, case_id: UUID, duty: str, version: int) -> None:
        """Approve a version of a notification, as the first or the second person.

        Raises: Problem 404, 409 for the person of the first approval, a text with open places, one that changed since
        `version`, and one that has two approvals.
        """
        scope = await self._tenants.scope_of(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            view = await self._view(conn, case)
            found = _require_version(_require_notification(view, duty), version)
            if any(PLACEHOLDER in text for text in found.sections.values()):
                remedy = N_("Complete the places marked […].")
                raise Problem(409, "conflict", N_("The text is not complete."), remedy=remedy)
            if found.is_approved:
                raise Problem(409, "conflict", N_("Two people have approved this text already."))
            if found.first_by_id == requester.id:
                raise Problem(409, "conflict", N_("A second person has to approve the text."))
            now, approval = clock.now(), 2 if found.first_by_id else 1
            if approval == 1:
                found = replace(found, first_by_id=requester.id, first_by=requester.name, first_at=now)
            else:
                found = replace(found, second_by_id=requester.id, second_by=requester.name, second_at=now)
            await duty_store.update(conn, found)
            event = NotificationApproved(
                tenant_id=case.tenant_id, case_id=case_id, duty=duty, version=version, approval=approval
            )
            await insert(conn, act_rows(self._journal, requester, case, event, "approved"))

    async def mark_sent(
        self, requester: Requester, case_id: UUID, duty: str, *, sent_at: datetime, receipt: str, delay_reason: str
    ) -> None:
        """Keep that a notification was sent, with the number of its receipt; clocks that wait for it start.

        Raises: Problem 404, 409 before two approvals and for one that was sent, 400 for a moment in the future or
        before the incident, no receipt, or no reason where it is late (GDPR, article 33(1)).
        """
        scope = await self._tenants.scope_of(requester)
        number = clean_text(receipt, 1, LONGEST_RECEIPT, "receipt")
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            view = await self._view(conn, case)
            found = _require_notification(view, duty)
            owed = _require_owed(view, duty)
            if not found.is_approved:
                raise Problem(409, "conflict", N_("Two people have to approve the text first."))
            assert view.facts is not None
            if not view.facts.detected_at <= sent_at <= clock.now() + _TOLERANCE:
                raise bad_request("sent_at", N_("This time is not possible."), code="value")
            is_late = owed.due_at is not None and sent_at > owed.due_at
            reason = clean_text(delay_reason, 10 if is_late else 0, LONGEST_SECTION, "delay_reason")
            found = replace(
                found, sent_at=sent_at, receipt=number, sent_by=requester.name, delay_reason=reason if is_late else ""
            )
            await duty_store.update(conn, found)
            event = NotificationSent(
                tenant_id=case.tenant_id,
                case_id=case_id,
                duty=duty,
                version=found.version,
                sent_at=sent_at,
                receipt=number,
                is_late=is_late,
                sha256=text_digest(found),
            )
            await insert(conn, act_rows(self._journal, requester, case, event, "sent"))

    async def exported(self, requester: Requester, case_id: UUID, duty: str, format_: str) -> tuple[DutyView, Owed]:
        """Return what the file of a notification is made of, and journal its download. Raises: Problem 404."""
        case = await require_case(self._db, await self._tenants.scope_of(requester), case_id)
        view = await self._view(self._db, case)
        owed, found = _require_owed(view, duty), view.notifications.get(duty)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        event = NotificationExported(
            tenant_id=view.case.tenant_id, case_id=case_id, duty=duty, version=found.version, format=format_
        )
        await self._journal.append_for(requester, event)
        return view, owed

    async def _view(self, db: Database | Connection, case: Case) -> DutyView:
        found = await duty_store.fetch_facts(db, case.case_id)
        notifications = await duty_store.fetch_notifications(db, case.case_id)
        if found is None:
            return DutyView(case=case, facts=None, stated=None, owed=(), drafted=(), notifications=notifications)
        facts, version, at, by = found
        sent = {key: one.sent_at for key, one in notifications.items() if one.sent_at is not None}
        drafted = [(one, owed_duties(facts, sent, [one], time_zone())) for one in packaged_rules().drafts]
        return DutyView(
            case=case,
            facts=facts,
            stated=(version, at, by),
            owed=_owed(facts, sent),
            drafted=drafted,
            notifications=notifications,
        )

    async def _write(
        self,
        conn: Connection,
        requester: Requester,
        view: DutyView,
        duty: str,
        language: str,
        sections: Mapping[str, str],
    ) -> None:
        """Write a version of a notification without approvals. Raises: Problem 409 for one that was sent."""
        case, before = view.case, view.notifications.get(duty)
        require_active(case)
        if before is not None and before.sent_at is not None:
            raise Problem(409, "conflict", N_("This notification was sent. It is not changed any more."))
        notification = Notification(
            tenant_id=case.tenant_id,
            case_id=case.case_id,
            duty=duty,
            language=language,
            sections=sections,
            version=before.version + 1 if before else 1,
            changed_at=clock.now(),
            changed_by=requester.name,
        )
        event = NotificationDrafted(
            tenant_id=case.tenant_id,
            case_id=case.case_id,
            duty=duty,
            version=notification.version,
            language=language,
        )
        rows = act_rows(self._journal, requester, case, event, "drafted")
        if before is None:
            await insert(conn, [duty_store.notification_row(notification), *rows])
        else:
            await duty_store.update(conn, notification)
            await insert(conn, rows)


def text_digest(notification: Notification) -> str:
    """Return the SHA-256 of a notification's text (hexadecimal)."""
    text = "\n\n".join(f"{key}\n{value}" for key, value in notification.sections.items())
    return hashlib.sha256(text.encode()).hexdigest()


def _owed(facts: Facts, sent: Mapping[str, datetime]) -> list[Owed]:
    sets: Iterable[RuleSet] = sets_on(packaged_rules().sets, day_of(facts.detected_at))
    return owed_duties(facts, sent, [*sets], time_zone())


def _check_moments(facts: Facts) -> None:
    """Raise Problem 400 for a moment in the future, or before the incident was detected."""
    latest = clock.now() + _TOLERANCE
    for name in MOMENTS:
        moment: datetime | None = getattr(facts, name)
        if moment is not None and not facts.detected_at <= moment <= latest:
            remedy = N_("No time is in the future, or before the incident was detected.")
            raise bad_request(name, N_("This time is not possible."), remedy, code="value")


def _require_owed(view: DutyView, duty: str) -> Owed:
    owed = view.owed_of(duty)
    if owed is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return owed


def _require_notification(view: DutyView, duty: str) -> Notification:
    """Return the notification of a duty. Raises: Problem 404, 409 for one that was sent."""
    found = view.notifications.get(duty)
    if found is None:
        raise Problem(404, "not-found", NOT_FOUND)
    if found.sent_at is not None:
        raise Problem(409, "conflict", N_("This notification was sent. It is not changed any more."))
    return found


def _require_version(found: Notification, version: int) -> Notification:
    if found.version != version:
        remedy = N_("Open it again.")
        raise Problem(409, "conflict", N_("Somebody has changed the text in the meantime."), remedy=remedy)
    return found


def _clean(text: str, place: str) -> str:
    """Return a text of lines without control characters. Raises: Problem 400 for a long one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    clean = "\n".join("".join(char for char in line if char.isprintable()).rstrip() for line in lines).strip()
    if len(clean) > LONGEST_SECTION:
        raise bad_request(place, N_("This text is too long."), code="too-long")
    return clean
