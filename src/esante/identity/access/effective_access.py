"""Who can see a record, until when, and why: derived from the access decision, for pages and notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from esante.identity.access.matrix import rights
from esante.identity.access.model import Action, Consent, Grant, Item, Purpose, Requester, Verdict
from esante.identity.access.rules import decide


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveAccess:
    """What a grant in force gives its holder at a moment.

    `reads`: whether the holder can read (the item that was asked about, or else anything); `reason` says why or why
    not, a key of `rules.REASONS`. `not_for`: names of blocked organisations for which the holder works.
    """

    grant: Grant
    reads: bool
    reason: str
    not_for: tuple[str, ...] = ()


def who_can_see(
    consent: Consent, holders: Mapping[UUID, Sequence[Requester]], at: datetime, item: Item | None = None
) -> tuple[EffectiveAccess, ...]:
    """Return what each grant in force gives its holder; the holders who can read come first.

    `holders`: as whom each holder may ask (a practitioner: for each organisation they work for, and for none; an
    organisation: itself, and with each profession that works there); a holder who is missing may not use the platform.
    `item`: a document; None: any that the holder did not write.
    """
    found = [
        _effective(replace(consent, grants=(grant,)), grant, holders.get(grant.holder_id, ()), at, item)
        for grant in consent.grants
        if grant.is_active(at)
    ]
    return tuple(sorted(found, key=lambda access: not access.reads))


def _effective(
    consent: Consent, grant: Grant, requesters: Sequence[Requester], at: datetime, item: Item | None
) -> EffectiveAccess:
    verdicts = [(requester, _decide(consent, requester, at, item)) for requester in requesters]
    allowed = [verdict for _, verdict in verdicts if verdict.allowed]
    if not allowed:
        return EffectiveAccess(grant=grant, reads=False, reason=verdicts[0][1].reason if verdicts else "suspended")
    not_for = tuple(requester.organization for requester, verdict in verdicts if verdict.reason == "blocked")
    return EffectiveAccess(grant=grant, reads=True, reason=allowed[0].reason, not_for=not_for)


def _decide(consent: Consent, requester: Requester, at: datetime, item: Item | None) -> Verdict:
    """Return the verdict on reading an item, or without one on reading a document of any category."""
    if item is not None:
        return decide(consent, requester, Action.READ, item, Purpose.TREATMENT, at)
    categories = [
        category
        for (profession, category), right in rights(at.date()).items()
        if profession == requester.profession and right.read
    ]
    verdicts = [
        decide(consent, requester, Action.READ, Item(category=category), Purpose.TREATMENT, at)
        for category in categories or [""]
    ]
    return next((verdict for verdict in verdicts if verdict.allowed), verdicts[0])
