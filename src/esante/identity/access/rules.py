"""The access decision: whether a requester may read or write an item of a record, and why.

The rules are tested in this order; the first that applies decides. When none applies, access is denied.

| rule | applies when | verdict |
|---|---|---|
| patient.other | the requester is a patient, the record is another person's | no |
| launch.other | the requester is software that was launched for another patient | no |
| patient.dead | the requester is the account of a patient who has died | no |
| patient.before-opening | the patient's record was never opened | no |
| patient.closed | the patient's record is not open (closed records are archived, and inaccessible) | no |
| patient.read | the patient reads | yes, hidden documents too |
| patient.write, patient.category | the patient adds a category they may write by the matrix / another | yes / no |
| requester.kind | the requester is neither practitioner nor organisation (an operator, the system) | no |
| purpose | the purpose of a professional is neither treatment nor emergency | no |
| record.none, .announced, .objected, .closed, .deleted | the record is not open | no |
| write.emergency | the purpose of a write is an emergency, or the requester's access is by emergencies only | no |
| write.dead | the person has died (`lifecycle_terms`) | no |
| write.matrix, write.category | the matrix lets the profession write the category / does not | yes / no |
| author.self, author.organization | the document is of the requester, or of the same organisation | yes |
| blocked | the person blocked the requester or the organisation | no |
| hidden | the document is hidden | no |
| opted-out | the person opted out of sharing | no |
| read.dead | the person has died (`lifecycle_terms`) | no |
| read.category | the matrix does not let the profession read the category | no |
| grant.<kind> | an active grant of the requester covers the confidentiality of the document | yes |
| restricted | the requester has an active grant, none covers the confidentiality | no |
| stay.refused | the requester has only stays at an organisation whose stays the person refused | no |
| stay.unproved | the requester has only stays without proof of presence, which by the policy give nothing | no |
| no-grant | anything else | no |

A deposit needs no grant: writing is not reading. An emergency grant is for reading only: while it lasts, its holder
writes nothing, unless they have another grant. It does not override a block, an opt-out or a hidden document.
"""

from datetime import datetime, timedelta

from esante.core.web import N_
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.matrix import Policy, policy, rights
from esante.identity.access.model import (
    Action,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    Verdict,
)

REASONS = {
    "own": N_("This is your own record."),
    "dead": N_("The person has died."),
    "other-person": N_("Patients can only see their own record."),
    "other-launch": N_("The app was opened for another patient."),
    "not-opened": N_("The record is not open yet."),
    "closed": N_("The record is closed."),
    "objected": N_("You objected to having a record."),
    "deleted": N_("What the record contained was deleted."),
    "own-category": N_("Only professionals can add documents of this type."),
    "not-treating": N_("Only health professionals who treat you can see your record."),
    "purpose": N_("Health data can only be used for treatment."),
    "write-emergency": N_("Emergency access only lets you read the record."),
    "provides": N_("This profession can add documents of this type to a record."),
    "not-provides": N_("This profession cannot add documents of this type to a record."),
    "author": N_("This person is the author of the document."),
    "author-organization": N_("The document comes from the same organisation."),
    "blocked": N_("You blocked this professional or organisation."),
    "hidden": N_("You hid this document."),
    "opted-out": N_("You turned off sharing."),
    "profession": N_("This profession cannot see documents of this type."),
    "circle": N_("You added this professional to your circle of care."),
    "presence_code": N_("You gave a presence code."),
    "institution_stay": N_("This organisation is treating you or has treated you."),
    "emergency": N_("Emergency access was used."),
    "stay-refused": N_("You ended the access of this organisation, and have not allowed it again."),
    "stay-unproved": N_("It is not confirmed yet that you are a patient of this organisation."),
    "suspended": N_("This professional or organisation may not use the platform any more."),
    "restricted": N_("You restricted this document to its author and your circle of care."),
    "no-grant": N_("You have not given access."),
    "refused": N_("Access was refused."),
}
"""The reasons of verdicts by their keys, in plain words to the person (msgids)."""

_CLOSED = {
    RecordState.NONE: Verdict(False, "record.none", "not-opened"),
    RecordState.ANNOUNCED: Verdict(False, "record.announced", "not-opened"),
    RecordState.OBJECTED: Verdict(False, "record.objected", "objected"),
    RecordState.CLOSED: Verdict(False, "record.closed", "closed"),
    RecordState.DELETED: Verdict(False, "record.deleted", "deleted"),
}
_NEVER_OPENED = (RecordState.NONE, RecordState.ANNOUNCED)
_PROFESSIONAL = ("practitioner", "organization")
_CARE = (Purpose.TREATMENT, Purpose.EMERGENCY)


def decide(
    consent: Consent,
    requester: Requester,
    action: Action,
    item: Item,
    purpose: Purpose,
    at: datetime,
) -> Verdict:
    """Decide whether `requester` may read or write `item` of the record of `consent` (see the table)."""
    if requester.only_person_id not in (None, consent.person_id):
        own = requester.kind == "patient"
        return (
            Verdict(False, "patient.other", "other-person") if own else Verdict(False, "launch.other", "other-launch")
        )
    if requester.kind == "patient":
        return _decide_for_patient(consent, action, item, at)
    if requester.kind not in _PROFESSIONAL:
        return Verdict(False, "requester.kind", "not-treating")
    if purpose not in _CARE:
        return Verdict(False, "purpose", "purpose")
    if consent.state is not RecordState.OPEN:
        return _CLOSED[consent.state]
    if action is Action.WRITE:
        return _decide_write(consent, requester, item, purpose, at)
    return _decide_read(consent, requester, item, at)


def decide_admission(state: RecordState | None) -> Verdict:
    """Decide whether a hospital may report a stay of a person by the state of their record (None: no record)."""
    if state is RecordState.OPEN:
        return Verdict(True, "stay.admission", "institution_stay")
    return _CLOSED[state or RecordState.NONE]


def explain(verdict: Verdict) -> str:
    """Return the reason of a verdict in plain words to the person (a msgid); the rule id is for operators."""
    return REASONS.get(verdict.reason, REASONS["refused"])


def opening_grant(consent: Consent, requester: Requester, at: datetime) -> Grant | None:
    """Return the grant by which a professional may open the record, or None: then it is absent for the professional.

    Each document in the record is decided by `decide`.
    """
    closed = (
        requester.kind not in _PROFESSIONAL
        or requester.only_person_id not in (None, consent.person_id)
        or consent.state is not RecordState.OPEN
        or not consent.sharing
        or requester.id in consent.blocked
        or requester.organization_id in consent.blocked
        or _is_dead(consent, at, lifecycle_terms(at.date()).reading_after_death)
    )
    return None if closed else _find_grant(consent, requester, policy(at.date()), at)[0]


def may_write(consent: Consent, requester: Requester, at: datetime) -> bool:
    """Return whether a professional may write any category of documents into the record, as pages offer it."""
    categories = [category for profession, category in rights(at.date()) if profession == requester.profession]
    return any(
        decide(consent, requester, Action.WRITE, Item(category=category), Purpose.TREATMENT, at).allowed
        for category in categories
    )


def _decide_for_patient(consent: Consent, action: Action, item: Item, at: datetime) -> Verdict:
    if consent.deceased_at is not None and consent.deceased_at <= at:
        return Verdict(False, "patient.dead", "dead")
    if consent.state in _NEVER_OPENED:
        return Verdict(False, "patient.before-opening", "not-opened")
    if consent.state is not RecordState.OPEN:
        return Verdict(False, "patient.closed", _CLOSED[consent.state].reason)
    if action is Action.READ:
        return Verdict(True, "patient.read", "own")
    right = rights(at.date()).get(("patient", item.category))
    if right is not None and right.write:
        return Verdict(True, "patient.write", "own")
    return Verdict(False, "patient.category", "own-category")


def _decide_write(consent: Consent, requester: Requester, item: Item, purpose: Purpose, at: datetime) -> Verdict:
    if purpose is Purpose.EMERGENCY or _has_emergency_only(consent, requester, at):
        return Verdict(False, "write.emergency", "write-emergency")
    if _is_dead(consent, at, lifecycle_terms(at.date()).writing_after_death):
        return Verdict(False, "write.dead", "dead")
    right = rights(at.date()).get((requester.profession, item.category))
    if right is not None and right.write:
        return Verdict(True, "write.matrix", "provides")
    return Verdict(False, "write.category", "not-provides")


def _decide_read(consent: Consent, requester: Requester, item: Item, at: datetime) -> Verdict:
    organization = requester.organization_id
    if item.author_id is not None and item.author_id == requester.id:
        return Verdict(True, "author.self", "author")
    if item.organization_id is not None and item.organization_id in (organization, requester.id):
        return Verdict(True, "author.organization", "author-organization")
    if requester.id in consent.blocked or organization in consent.blocked:
        return Verdict(False, "blocked", "blocked")
    if item.confidentiality == "hidden":
        return Verdict(False, "hidden", "hidden")
    if not consent.sharing:
        return Verdict(False, "opted-out", "opted-out")
    if _is_dead(consent, at, lifecycle_terms(at.date()).reading_after_death):
        return Verdict(False, "read.dead", "dead")
    right = rights(at.date()).get((requester.profession, item.category))
    if right is None or not right.read:
        return Verdict(False, "read.category", "profession")
    return _decide_by_grant(consent, requester, item, policy(at.date()), at)


def _is_dead(consent: Consent, at: datetime, after: timedelta) -> bool:
    """Return whether the person died, and a time after their death is over."""
    return consent.deceased_at is not None and at >= consent.deceased_at + after


def _decide_by_grant(consent: Consent, requester: Requester, item: Item, terms: Policy, at: datetime) -> Verdict:
    grant, any_grant = _find_grant(consent, requester, terms, at, item)
    if grant is not None:
        return Verdict(True, f"grant.{grant.kind}", grant.kind.value, grant)
    if any_grant:
        return Verdict(False, "restricted", "restricted")
    holders = (requester.id, requester.organization_id)
    for grant in consent.grants:
        if grant.holder_id in holders and grant.is_active(at) and (reason := withheld(consent, grant, at)):
            return Verdict(False, reason.replace("-", ".", 1), reason)
    return Verdict(False, "no-grant", "no-grant")


def _active_grants(consent: Consent, requester: Requester, at: datetime) -> list[Grant]:
    holders = (requester.id, requester.organization_id)
    return [
        grant
        for grant in consent.grants
        if grant.holder_id in holders and grant.is_active(at) and not withheld(consent, grant, at)
    ]


def withheld(consent: Consent, grant: Grant, at: datetime) -> str:
    """Return the reason (a key of `REASONS`) for which a grant gives nothing although it is in force; "" for none."""
    if grant.kind is not GrantKind.STAY:
        return ""
    if grant.holder_id in consent.refused:
        return "stay-refused"
    return "" if grant.proved or policy(at.date()).unproved_stays_read else "stay-unproved"


def _has_emergency_only(consent: Consent, requester: Requester, at: datetime) -> bool:
    kinds = {grant.kind for grant in _active_grants(consent, requester, at)}
    return kinds == {GrantKind.EMERGENCY}


def _find_grant(
    consent: Consent, requester: Requester, terms: Policy, at: datetime, item: Item | None = None
) -> tuple[Grant | None, bool]:
    """Return the preferred grant of the requester that covers `item`, and whether there is any active grant."""
    active = _active_grants(consent, requester, at)
    for kind, levels in terms.reach.items():
        for grant in active:
            if grant.kind == kind and (item is None or item.confidentiality in levels):
                return grant, True
    return None, bool(active)
