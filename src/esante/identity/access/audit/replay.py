"""Replay: past verdicts of the journal, decided again by the rules of their day.

An entry does not keep the whole consent of its moment, but its rule says which facts led to the verdict: `facts_of`
makes a consent, a requester and an item of them, and `decide` gives the verdict that the rules of that day lead to.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from esante.core.journal import EVENTS, Journal, SealedEntry
from esante.core.storage import Database
from esante.core.types import Progress
from esante.identity.access.audit import replay_store
from esante.identity.access.model import (
    AccessEvent,
    Action,
    Against,
    Confidentiality,
    Consent,
    Delegate,
    Grant,
    GrantKind,
    Item,
    Opposition,
    Purpose,
    RecordState,
    Requester,
    Verdict,
)
from esante.identity.access.regulation.policy_set import ORGANIZATION, PolicySet
from esante.identity.access.rules import decide, decide_opening
from esante.identity.directory import ReferringDoctor

BATCH = 20_000
"""How many sealed entries are read at a time."""
_OF_WRITES = ("patient.write", "patient.category", "patient.closed")
_DEAD = timedelta(days=36_500)
"""How long somebody has been dead in a replay of a verdict for that reason: longer than any period after death."""
_STATES = {f"record.{state.value}": state for state in RecordState} | {
    "patient.before-opening": RecordState.NONE,
    "patient.closed": RecordState.CLOSED,
}
_LEVELS = {"hidden": Confidentiality.HIDDEN, "restricted": Confidentiality.RESTRICTED}
_KINDS = {"restricted": GrantKind.PRESENCE.value, "write.emergency": GrantKind.EMERGENCY.value}
"""The kind of the grants of somebody to whom a rule applies that the entry does not name."""
_PURPOSES = {purpose.value: purpose for purpose in Purpose}
_OWN = tuple(f"patient.{rule}" for rule in ("read", "write", "category", "before-opening", "closed", "dead"))
_OF_CONSENT = ("blocked", "hidden", "opted-out", "read.dead", "read.category", "restricted", "no-grant")
_WITHOUT_GRANT = ("stay.refused", "stay.unproved", "context.ended", "context.off")
"""Refusals of which the entry does not name the grant: only what does not depend on it is decided again."""
_REPLAYED = frozenset((*_OWN, *_OF_CONSENT, *_WITHOUT_GRANT, *_STATES, "delegate.read"))
"""The rules that are decided again, beside those of grants, writes and authors."""


class _Actor(msgspec.Struct, gc=False):
    kind: str
    id: UUID | None = None
    role: str = ""
    organization_id: UUID | None = None
    delegate_id: UUID | None = None


class _Event(msgspec.Struct, gc=False):
    purpose: str = "TREAT"
    allowed: bool = True
    rule: str = ""
    grant_id: UUID | None = None
    grant_kind: str = ""
    context: str = ""
    categories: tuple[str, ...] = ()


class _Content(msgspec.Struct, gc=False):
    actor: _Actor
    event: _Event


class PastVerdict(msgspec.Struct, frozen=True, gc=False):
    """A verdict as the journal has it (`seq`: its leaf): who, whose, when, and what was decided."""

    seq: int
    person_id: UUID
    at: datetime
    actor: _Actor
    event: _Event

    @property
    def action(self) -> Action:
        """What was decided on, by the rule: to hide a document, for example, one must be able to read it."""
        rule = self.event.rule
        if rule.startswith("write.") or rule in _OF_WRITES:
            return Action.WRITE
        return Action.LIST if self.actor.delegate_id and rule != "delegate.read" else Action.READ


@dataclass(frozen=True, slots=True)
class Difference:
    """A past verdict that the rules of its day do not lead to; `document_class`: of the item that differs."""

    past: PastVerdict
    document_class: str
    now: Verdict

    @property
    def of_outcome(self) -> bool:
        """Whether what was allowed is refused, or the other way round; else only the rule is another."""
        return self.past.event.allowed is not self.now.allowed


@dataclass(slots=True)
class ReplayReport:
    """What a replay found: how many verdicts it decided again, left out, and which differ (the first ones in full)."""

    replayed: int = 0
    left_out: int = 0
    outcomes: int = 0
    differences: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """How often: the rule then and now, the role of the actor, the document class."""
    first: list[Difference] = field(default_factory=list)


class Replay:
    """Decides past verdicts again, by the policy set with its confirmed changes."""

    def __init__(self, db: Database, journal: Journal, rules: PolicySet) -> None:
        self._db, self._journal, self._rules = db, journal, rules
        self._decoder = msgspec.json.Decoder(_Content)
        self._types = {name for name, type_ in EVENTS.items() if issubclass(type_, AccessEvent)}
        self._known: dict[tuple[object, ...], Verdict] = {}

    async def run(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        show: int = 20,
        progress: Progress = lambda *_: None,
    ) -> ReplayReport:
        """Replay all sealed verdicts from `since` until `until` (exclusive); keep the first `show` differences."""
        report, after = ReplayReport(), 0
        head = await self._journal.head()
        total = head.size if head else 0
        following = asyncio.create_task(self._journal.sealed_entries(after, BATCH))
        while entries := await following:
            after = entries[-1].seq
            following = asyncio.create_task(self._journal.sealed_entries(after, BATCH))  # read while these are decided
            past = [
                one
                for one in self._verdicts(entries)
                if (since is None or since <= one.at) and (until is None or one.at < until)
            ]
            await self._replay(past, report, show)
            progress(min(after, total), total, "")
        return report

    def _verdicts(self, entries: Iterable[SealedEntry]) -> Iterator[PastVerdict]:
        for entry in entries:
            if entry.type in self._types and entry.content is not None:
                content = self._decoder.decode(entry.content)
                yield PastVerdict(entry.seq, entry.person_id, entry.at, content.actor, content.event)

    async def _replay(self, past: Sequence[PastVerdict], report: ReplayReport, show: int) -> None:
        keys = {(one.person_id, one.event.grant_id) for one in past if one.event.grant_id}
        found = await replay_store.fetch_grants(self._db, list(keys))
        # What was written of the end of a grant later does not count for what was decided before.
        grants = {key: replace(grant, until=None, revoked_at=None, proved=True) for key, grant in found.items()}
        referring = await replay_store.fetch_referring_doctors(self._db, list({one.person_id for one in past}))
        for one in past:
            grant = grants.get((one.person_id, one.event.grant_id)) if one.event.grant_id else None
            facts = facts_of(one, grant, referring.get(one.person_id, ()), self._rules)
            if facts is None:
                report.left_out += 1
                continue
            report.replayed += 1
            if (difference := self._compare(one, facts)) is not None:
                report.outcomes += difference.of_outcome
                role = one.actor.role or one.actor.kind
                report.differences[one.event.rule, difference.now.rule, role, difference.document_class] += 1
                if len(report.first) < show:
                    report.first.append(difference)

    def _compare(self, past: PastVerdict, facts: "Facts") -> Difference | None:
        """Return the first class of a verdict that is decided differently, or None."""
        for class_ in past.event.categories or ("",):
            now = self._decide(past, facts, class_)
            if (now.allowed, now.rule) != (past.event.allowed, past.event.rule) and not facts.explains(now):
                return Difference(past, class_, now)
        return None

    def _decide(self, past: PastVerdict, facts: "Facts", class_: str) -> Verdict:
        if facts.consent.grants or facts.consent.referring:
            return self._decide_anew(past, facts, class_)
        role = past.actor.role
        key = self._rules.at(past.at), past.actor.kind, role, past.event.rule, past.event.purpose, class_
        if (known := self._known.get(key)) is None:
            known = self._known[key] = self._decide_anew(past, facts, class_)
        return known

    def _decide_anew(self, past: PastVerdict, facts: "Facts", class_: str) -> Verdict:
        action = past.action
        if not class_ and past.actor.kind != "patient" and action is not Action.WRITE:
            return decide_opening(facts.consent, facts.requester, past.at)
        item = _item_of(past, class_, self._rules)
        return decide(facts.consent, facts.requester, action, item, _PURPOSES[past.event.purpose], past.at)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that led to a past verdict, as its rule and its grant tell them."""

    consent: Consent
    requester: Requester
    rule: str

    def explains(self, now: Verdict) -> bool:
        """Return whether a verdict differs only by a grant that the entry does not name."""
        return self.rule in _WITHOUT_GRANT and now.rule == "no-grant"


def facts_of(
    past: PastVerdict, grant: Grant | None, referring: tuple[ReferringDoctor, ...], rules: PolicySet
) -> Facts | None:
    """Return the facts of a past verdict; None for one that `decide` did not give, or of which they are not known."""
    actor, event = past.actor, past.event
    if actor.id is None or not _is_replayable(event.rule):
        return None
    requester = Requester(
        kind=actor.kind,
        id=actor.id,
        name="",
        profession=actor.role,
        organization_id=actor.organization_id,
        delegate=Delegate(actor.delegate_id, "") if actor.delegate_id else None,
    )
    consent = Consent(
        person_id=past.person_id,
        state=_STATES.get(event.rule, RecordState.OPEN),
        sharing=event.rule != "opted-out",
        grants=_grants_of(past, grant, actor.id),
        blocked=frozenset({actor.id} if event.rule == "blocked" else ()),
        referring=referring,
        oppositions=_oppositions_of(past),
        deceased_at=past.at - _DEAD if event.rule.endswith(".dead") else None,
        rules=rules,
    )
    return Facts(consent, requester, event.rule)


def _oppositions_of(past: PastVerdict) -> tuple[Opposition, ...]:
    """Return the opposition that a verdict tells: against a deposit by its actor."""
    if past.event.rule != "write.opposed":
        return ()
    return (Opposition(id=past.person_id, against=Against.DEPOSIT, depositor_id=past.actor.id),)


def _is_replayable(rule: str) -> bool:
    return rule.startswith(("grant.", "write.", "author.")) or rule in _REPLAYED


def _item_of(past: PastVerdict, class_: str, rules: PolicySet) -> Item:
    by_exception = past.event.rule == "write.exception"
    role = past.actor.role if past.actor.kind != "organization" else ORGANIZATION + past.actor.role
    return Item(
        category=class_,
        confidentiality=_LEVELS.get(past.event.rule, Confidentiality.NORMAL),
        author_id=past.actor.id if past.event.rule == "author.self" else None,
        organization_id=past.actor.organization_id if past.event.rule == "author.organization" else None,
        subjects=rules.at(past.at).exceptions.get((role, class_), frozenset()) if by_exception else frozenset(),
    )


def _grants_of(past: PastVerdict, known: Grant | None, holder_id: UUID) -> tuple[Grant, ...]:
    """Return the grants that a verdict tells."""
    kind = _KINDS.get(past.event.rule, past.event.grant_kind)
    if not kind:
        return ()
    if known is None:
        known = Grant(
            id=past.event.grant_id or holder_id,
            person_id=past.person_id,
            kind=GrantKind(kind),
            holder_kind=past.actor.kind,
            holder_id=holder_id,
            since=past.at,
        )
    if past.event.context not in ("", known.context):
        known = replace(known, context=past.event.context)
    return (known,)
