"""The use cases of cases: list, show, change, note, steps, merge, reopen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Row, insert
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.services.soc.alerts.model import Level
from esante.services.soc.cases import case_store
from esante.services.soc.cases.events import CaseChanged, CaseRead, NoteAdded, TaskChanged
from esante.services.soc.cases.model import (
    Case,
    CaseFilter,
    QueuedAlert,
    Task,
    TaskState,
    TimelineEntry,
    Tlp,
)
from esante.services.soc.cases.playbooks import packaged_playbooks
from esante.services.soc.cases.states import Act, after, require_active
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.tenants.model import Scope, Tenant
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage import triage_store

PAGE_SIZE = 50
SHORTEST, LONGEST = 3, 4_000
"""Characters of a note and of a reason."""
LONGEST_TITLE = 200
SHOWN_ALERTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case with what its page shows: its member, alerts, tasks, and the cases that were merged into it."""

    case: Case
    tenant: Tenant
    alerts: Sequence[QueuedAlert]
    tasks: Sequence[Task]
    merged: Sequence[Case]
    target: Case | None


class Cases:
    """The cases of all members."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants) -> None:
        self._db, self._journal, self._tenants = db, journal, tenants

    async def page(self, requester: Requester, wanted: CaseFilter, cursor: str | None = None) -> Page[Case]:
        """Return a page of the cases that somebody sees, the newest first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        before = decode_uuid_cursor(cursor)
        found = await case_store.fetch_page(self._db, scope, wanted, requester.id, before, PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].case_id) if len(found) > PAGE_SIZE else None)

    async def case(self, requester: Requester, case_id: UUID) -> Case:
        """Return a case. Raises: Problem 404 for an unknown one, and for one that the requester does not see."""
        return await require_case(self._db, await self._tenants.scope_of(requester), case_id)

    async def view(self, requester: Requester, case_id: UUID, part: str = "overview") -> CaseView:
        """Return a case with what a part of its page shows, and journal that it was read. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        case = await require_case(self._db, scope, case_id)
        await self._journal.append_for(requester, CaseRead(tenant_id=case.tenant_id, case_id=case_id, part=part))
        target = await case_store.fetch(self._db, scope, case.merged_into) if case.merged_into else None
        return CaseView(
            case=case,
            tenant=await self._tenants.tenant(requester, case.tenant_id),
            alerts=await triage_store.fetch_of_case(self._db, case_id, SHOWN_ALERTS),
            tasks=await case_store.fetch_tasks(self._db, case_id),
            merged=await case_store.fetch_merged(self._db, scope, case_id),
            target=target,
        )

    async def timeline(self, requester: Requester, case_id: UUID, cursor: str | None = None) -> Page[TimelineEntry]:
        """Return a page of what happened in a case, the newest first. Raises: Problem 404, 400."""
        case = await self.case(requester, case_id)
        found = await case_store.fetch_timeline(
            self._db,
            case.case_id,
            internal=requester.kind == "operator",
            before=decode_uuid_cursor(cursor),
            limit=PAGE_SIZE + 1,
        )
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].entry_id) if len(found) > PAGE_SIZE else None)

    async def count_active(self, requester: Requester) -> int:
        """Return how many cases that somebody sees are not closed. Raises: Problem 404."""
        return await case_store.count_active(self._db, await self._tenants.scope_of(requester))

    async def member_tasks(self, requester: Requester) -> list[tuple[Task, Case]]:
        """Return the open steps of a contact's member with their cases, by their time. Raises: Problem 404."""
        scope = await self._tenants.scope_of(requester)
        if scope.tenant_id is None:
            raise Problem(404, "not-found", NOT_FOUND)
        tasks = await case_store.fetch_open_member_tasks(self._db, scope.tenant_id)
        cases = await case_store.fetch_titles(self._db, [one.case_id for one in tasks])
        return [(one, cases[one.case_id]) for one in tasks]

    async def take(self, requester: Requester, case_id: UUID) -> Case:
        """Take a case: the requester owns it, and it is in progress. Raises: Problem 403, 404, 409."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            state = after(case, Act.TAKE, requester.id)
            case = replace(case, state=state, owner_id=requester.id, owner=requester.name, changed_at=clock.now())
            await case_store.update(conn, case)
            await insert(conn, self._changed(requester, case, Act.TAKE, "taken", {"name": requester.name}))
        return case

    async def change(
        self, requester: Requester, case_id: UUID, *, title: str, severity: int, tlp: str, playbook: str
    ) -> Case:
        """Change title, severity, marking and playbook of a case; the steps of a new playbook are added.

        Raises: Problem 403, 404, 400 for a wrong value, 409 for a closed case.
        """
        require_operator(requester)
        if severity not in [*Level] or tlp not in [*Tlp]:
            raise bad_request("severity", N_("Choose a value of the list."), code="value")
        playbooks = packaged_playbooks()
        if playbook and playbook not in playbooks.by_key:
            raise bad_request("playbook", N_("Choose a playbook of the list."), code="value")
        clean = clean_text(title, SHORTEST, LONGEST_TITLE, "title")
        async with self._db.transaction() as conn:
            before = await require_case(conn, Scope(None), case_id, lock=True)
            require_active(before)
            case = replace(
                before,
                title=clean,
                severity=Level(severity),
                tlp=Tlp(tlp),
                playbook=playbook,
                changed_at=clock.now(),
            )
            await case_store.update(conn, case)
            rows = self._changed(requester, case, "change", "changed")
            if playbook and playbook != before.playbook:
                tasks = playbooks.tasks(playbook, case_id, case.changed_at)
                rows += [case_store.task_row(one) for one in tasks]
                rows += self._changed(requester, case, "playbook", "playbook")
            await insert(conn, rows)
        return case

    async def note(
        self, requester: Requester, case_id: UUID, text: str, tlp: str = "", *, is_internal: bool = False
    ) -> None:
        """Write a note in a case; `tlp` "": the marking of the case. Only operators write internal notes.

        Raises: Problem 404, 400 for a wrong text or marking, 409 for a closed case.
        """
        scope = await self._tenants.scope_of(requester)
        if tlp and tlp not in [*Tlp]:
            raise bad_request("tlp", N_("Choose a value of the list."), code="value")
        clean = clean_text(text, SHORTEST, LONGEST, "text")
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            require_active(case)
            marking = Tlp(tlp) if tlp else case.tlp
            internal = is_internal and requester.kind == "operator"
            event = NoteAdded(tenant_id=case.tenant_id, case_id=case_id, tlp=marking, is_internal=internal)
            rows = act_rows(
                self._journal, requester, case, event, "note", text=clean, tlp=marking, is_internal=internal
            )
            await insert(conn, rows)

    async def decide_task(self, requester: Requester, case_id: UUID, step: str, state: str, reason: str = "") -> None:
        """Mark a step of a case as done, not applicable (with a reason), or open again; contacts do those of members.

        Raises: Problem 404, 400 for a wrong state or no reason, 409 for a closed case.
        """
        scope = await self._tenants.scope_of(requester)
        if state not in [*TaskState]:
            raise bad_request("state", N_("Choose a value of the list."), code="value")
        required = SHORTEST if state == TaskState.NOT_APPLICABLE else 0
        clean = clean_text(reason, required, LONGEST, "reason")
        async with self._db.transaction() as conn:
            case = await require_case(conn, scope, case_id, lock=True)
            require_active(case)
            task = await case_store.fetch_task(conn, case_id, step)
            if task is None or (requester.kind != "operator" and task.who != "member"):
                raise Problem(404, "not-found", NOT_FOUND)
            if task.state == state:
                return
            is_open = state == TaskState.OPEN
            task = replace(
                task,
                state=TaskState(state),
                reason=clean,
                done_by="" if is_open else requester.name,
                done_at=None if is_open else clock.now(),
            )
            await case_store.update_task(conn, task)
            event = TaskChanged(tenant_id=case.tenant_id, case_id=case_id, step=step, state=state)
            label = packaged_playbooks().steps[step].label if step in packaged_playbooks().steps else step
            rows = act_rows(self._journal, requester, case, event, f"task_{state}", {"step": label}, text=clean)
            await insert(conn, rows)

    async def merge(self, requester: Requester, case_id: UUID, target_id: UUID) -> None:
        """Merge a case into another of the same member: its alerts go there, everything else stays and is linked.

        Raises: Problem 403, 404, 400 for itself or a case of another member, 409 for a closed one.
        """
        require_operator(requester)
        if case_id == target_id:
            raise bad_request("target", N_("A case cannot be merged into itself."), code="value")
        async with self._db.transaction() as conn:
            locked = {
                one: await require_case(conn, Scope(None), one, lock=True) for one in sorted([case_id, target_id])
            }
            case, target = locked[case_id], locked[target_id]
            if case.tenant_id != target.tenant_id:
                raise bad_request("target", N_("A case has alerts of one member only."), code="value")
            if case.is_exercise != target.is_exercise:
                title = N_("An exercise has no real alerts, and a real case no exercise.")
                raise bad_request("target", title, code="value")
            require_active(target)
            now = clock.now()
            state = after(case, Act.MERGE, requester.id)
            case = replace(case, state=state, merged_into=target_id, changed_at=now)
            target = replace(target, severity=max(case.severity, target.severity), changed_at=now)
            await case_store.update(conn, case)
            await case_store.update(conn, target)
            await triage_store.move_alerts(conn, case.tenant_id, case_id, target_id)
            rows = self._changed(requester, case, Act.MERGE, "merged", {"reference": target.reference})
            rows += self._changed(requester, target, "absorb", "absorbed", {"reference": case.reference})
            await insert(conn, rows)

    async def reopen(self, requester: Requester, case_id: UUID, reason: str) -> Case:
        """Open a closed case again. Raises: Problem 403, 404, 400 for no reason, 409 for a case that is not closed."""
        require_operator(requester)
        clean = clean_text(reason, SHORTEST, LONGEST, "reason")
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            state = after(case, Act.REOPEN, requester.id)
            case = replace(without_proposal(case), state=state, closed_by="", closed_at=None, changed_at=clock.now())
            await case_store.update(conn, case)
            await insert(conn, self._changed(requester, case, Act.REOPEN, "reopened", text=clean))
        return case

    async def mergeable(self, requester: Requester, case: Case) -> list[Case]:
        """Return the other active cases of a case's member. Raises: Problem 403."""
        require_operator(requester)
        found = await case_store.fetch_active(self._db, case.tenant_id, PAGE_SIZE)
        return [one for one in found if one.case_id != case.case_id and one.is_exercise == case.is_exercise]

    def _changed(
        self,
        requester: Requester,
        case: Case,
        act: str,
        kind: str,
        params: dict[str, str] | None = None,
        *,
        text: str = "",
    ) -> list[Row]:
        return act_rows(self._journal, requester, case, changed_event(case, act), kind, params, text=text)


def without_proposal(case: Case) -> Case:
    """Return a case without the proposal to close it."""
    return replace(case, outcome="", summary="", proposed_by_id=None, proposed_by="", proposed_at=None)


def changed_event(case: Case, act: str) -> CaseChanged:
    """Return the event of an act that changed a case."""
    return CaseChanged(
        tenant_id=case.tenant_id,
        case_id=case.case_id,
        act=str(act),
        state=case.state,
        severity=int(case.severity),
        tlp=case.tlp,
        outcome=case.outcome,
        owner_id=case.owner_id,
        merged_into=case.merged_into,
    )
