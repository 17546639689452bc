"""Who can see a record, until when, and why: derived from the access decision, for pages and notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from esante.core.time_zone import day_of
from esante.identity.access.model import Action, Consent, Grant, Item, Purpose, Requester, Verdict
from esante.identity.access.regulation.contexts import Context, ends_at
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.representation.model import Representation
from esante.identity.access.rules import decide


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveAccess:
    """What a grant in force gives its holder at a moment, or a representation who acts for the person.

    `grant`: None of a representation, which is then `representation`. `reads`: whether the holder can read (the item
    that was asked about, or else anything); `reason` says why or why not, a key of `reasons.REASONS`. `context`: the
    context of care, None where the policy set has none. `ends_at`: when it ends, by the grant or by the ceiling of the
    context (None: no end). `not_for`: names of blocked organisations for which the holder works.
    """

    grant: Grant | None = None
    representation: Representation | None = None
    reads: bool
    reason: str
    context: Context | None = None
    ends_at: datetime | None = None
    not_for: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of who has access."""
        return self.grant.holder if self.grant else self.representation.representative if self.representation else ""


def who_can_see(
    consent: Consent, holders: Mapping[UUID, Sequence[Requester]], at: datetime, item: Item | None = None
) -> tuple[EffectiveAccess, ...]:
    """Return what each grant in force gives its holder, and each representation; those who can read come first.

    `holders`: as whom each holder may ask (a practitioner: for each organisation they work for, and for none; an
    organisation: itself, and with each profession that works there); a holder who is missing may not use the platform.
    `item`: a document; None: any that the holder did not write.
    """
    rules = (consent.rules or policy_set()).at(at)
    found = []
    for grant in consent.grants:
        context = rules.context_of(grant)
        end = ends_at(grant, context) if context else grant.until
        if grant.is_active(at) and (end is None or at < end):
            reads, reason, not_for = _effective(consent, grant, holders.get(grant.holder_id, ()), at, item)
            found.append(
                EffectiveAccess(grant=grant, reads=reads, reason=reason, context=context, ends_at=end, not_for=not_for)
            )
    acting = [one for one in consent.representations if one.is_in_force(day_of(at))]
    found += [_of_representation(consent, one, at, item) for one in acting]
    return tuple(sorted(found, key=lambda access: not access.reads))


def _of_representation(
    consent: Consent, representation: Representation, at: datetime, item: Item | None
) -> EffectiveAccess:
    requester = Requester(
        kind="patient",
        id=representation.representative_id,
        name=representation.representative,
        patient=consent.person_id,
    )
    verdict = _decide(replace(consent, representations=(representation,)), requester, at, item)
    return EffectiveAccess(representation=representation, reads=verdict.allowed, reason=verdict.reason)


def _effective(
    consent: Consent, grant: Grant, requesters: Sequence[Requester], at: datetime, item: Item | None
) -> tuple[bool, str, tuple[str, ...]]:
    """Return whether a grant reads, why or why not, and for which of the holder's organisations it does not."""
    alone = replace(consent, grants=(grant,))
    verdicts = [(requester, _decide(alone, requester, at, item)) for requester in requesters]
    allowed = [verdict for _, verdict in verdicts if verdict.allowed]
    if not allowed:
        return False, verdicts[0][1].reason if verdicts else "suspended", ()
    not_for = tuple(requester.organization for requester, verdict in verdicts if verdict.reason == "blocked")
    return True, allowed[0].reason, not_for


def _decide(consent: Consent, requester: Requester, at: datetime, item: Item | None) -> Verdict:
    """Return the verdict on reading an item, or without one on reading a document of any class."""
    if item is not None:
        return decide(consent, requester, Action.READ, item, Purpose.TREATMENT, at)
    classes = (consent.rules or policy_set()).at(at).categories
    verdicts = [
        decide(consent, requester, Action.READ, Item(category=class_), Purpose.TREATMENT, at)
        for class_ in classes or [""]
    ]
    return next((verdict for verdict in verdicts if verdict.allowed), verdicts[0])
