"""Decides whether the assertions of a message allow what it asks for (MyHealth@EU, XUA, revision 19)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from esante.services.exchange.assertions.model import Assertion, Cause, Refused
from esante.services.exchange.assertions.names import (
    FACILITY_TYPE,
    LOCALITY,
    NEXT_OF_KIN,
    ORGANIZATION_ID,
    PERMISSION,
    PREVIOUS_SESSION,
    PURPOSE,
    ROLE,
    SENDER_VOUCHES,
    SUBJECT,
    Kind,
)
from esante.services.exchange.assertions.rules import Act, AssertionRules


@dataclass(frozen=True, slots=True)
class Professional:
    """Who asks, as the assertion about the professional says it."""

    name: str
    role: str
    facility_type: str
    locality: str
    organization_id: str
    purpose: str
    assertion_id: str


def check_professional(assertions: Sequence[Assertion], act: Act, rules: AssertionRules, at: datetime) -> Professional:
    """Return who asks, when the assertion about the professional allows the act. Raises: `Refused`."""
    found = _of(assertions, Kind.HCP)
    _check_common(found, rules, at, rules.hcp_validity)
    if found.authentication not in rules.strong_authentication:
        raise Refused(Cause.WEAK_AUTHENTICATION, "the professional did not sign in with two factors")
    role, purpose = found.code(ROLE), found.code(PURPOSE)
    if role is None or role.system != rules.role_system or role.code not in rules.roles:
        raise Refused(Cause.INSUFFICIENT, "the role of the professional is missing or not known")
    if purpose is None or purpose.system not in rules.purpose_systems or purpose.code not in rules.purposes:
        raise Refused(Cause.INSUFFICIENT, "the purpose of use is missing or not known")
    for name in (SUBJECT, LOCALITY, *((ORGANIZATION_ID,) if act is Act.DISCARD else ())):
        if not found.text(name):
            raise Refused(Cause.INSUFFICIENT, f"the attribute {name} is missing")
    if found.text(FACILITY_TYPE) not in rules.facility_types:
        raise Refused(Cause.INSUFFICIENT, "the type of the healthcare facility is missing or not known")
    granted = {one.removeprefix(f"{PERMISSION}:") for one in found.texts.get(PERMISSION, ())}
    if missing := set(rules.permissions[act]) - granted:
        raise Refused(Cause.RIGHTS, f"the permission {sorted(missing)[0]} is missing")
    return Professional(
        name=found.text(SUBJECT),
        role=role.code,
        facility_type=found.text(FACILITY_TYPE),
        locality=found.text(LOCALITY),
        organization_id=found.text(ORGANIZATION_ID),
        purpose=purpose.code,
        assertion_id=found.id,
    )


def check_treatment(
    assertions: Sequence[Assertion],
    professional: Professional,
    patient_id: str,
    rules: AssertionRules,
    at: datetime,
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Check that a treatment is confirmed of this patient by this professional.

    `patient_id`: the patient that the message is about, as CX. `parameters`: attributes that a country asks for, such
    as the number of a prescription, with the values of the message. Raises: `Refused`.
    """
    found = _of(assertions, Kind.TRC)
    _check_common(found, rules, at, rules.trc_validity)
    _check_basis(found, professional)
    if not patient_id or found.text(SUBJECT) != patient_id:
        raise Refused(Cause.OTHER_PATIENT, "the treatment is that of another patient")
    for name, value in (parameters or {}).items():
        if found.text(name) != value:
            raise Refused(Cause.OTHER_PARAMETERS, f"the attribute {name} differs from the message")


def check_next_of_kin(
    assertions: Sequence[Assertion], professional: Professional, rules: AssertionRules, at: datetime
) -> Mapping[str, str]:
    """Return who accompanies the patient, by the last part of the attributes' names; nothing where nobody does.

    Raises: `Refused`.
    """
    if not any(one.kind is Kind.NOK for one in assertions):
        return {}
    found = _of(assertions, Kind.NOK)
    _check_common(found, rules, at, rules.nok_validity)
    _check_basis(found, professional)
    prefix = f"{NEXT_OF_KIN}:"
    return {name.removeprefix(prefix): found.text(name) for name in found.texts if name.startswith(prefix)}


def _of(assertions: Sequence[Assertion], kind: Kind) -> Assertion:
    found = next((one for one in assertions if one.kind is kind), None)
    if found is None:
        raise Refused(Cause.MISSING, f"the message has no assertion {kind}")
    return found


def _check_basis(found: Assertion, professional: Professional) -> None:
    """Check that an assertion rests on the one about the professional."""
    if found.authentication != PREVIOUS_SESSION or list(found.advised_by) != [professional.assertion_id]:
        raise Refused(Cause.NOT_VALID, "the assertion does not rest on the one about the professional")


def _check_common(found: Assertion, rules: AssertionRules, at: datetime, longest: timedelta) -> None:
    """Check times, audience and confirmation, which all kinds have."""
    tolerance = rules.clock_tolerance
    if found.not_before - tolerance > at or found.issued_at - tolerance > at:
        raise Refused(Cause.NOT_VALID, "the assertion is not in force yet")
    if found.not_on_or_after + tolerance <= at:
        raise Refused(Cause.NOT_VALID, "the assertion has expired")
    if not timedelta(0) < found.not_on_or_after - found.not_before <= longest:
        raise Refused(Cause.NOT_VALID, f"the assertion is valid for longer than {longest}")
    if list(found.audiences) != [rules.audience]:
        raise Refused(Cause.NOT_VALID, "the assertion is meant for others")
    if found.confirmation != SENDER_VOUCHES:
        raise Refused(Cause.NOT_VALID, "the subject is not confirmed by the sender")
