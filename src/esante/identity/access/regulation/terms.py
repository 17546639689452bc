"""The terms of access that law and agency set beside the matrix and the contexts, as dated periods.

`policy.toml` of a policy set: how long a letter, a code or a token serves, which confidentiality each kind of grant
covers, how much may be tried. Every period has its legal source and whether it was verified.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from esante.core.dated_data import parse_periods
from esante.core.types import Json
from esante.identity.access.model import Confidentiality, GrantKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """How many new admissions an organisation may report, by the number of professionals who work there."""

    per_hour: int
    per_hour_and_professional: float
    per_day: int
    per_day_and_professional: float
    alarm_share: float

    def most_per_hour(self, professionals: int) -> int:
        """Return the most admissions in an hour."""
        return int(self.per_hour + self.per_hour_and_professional * professionals)

    def most_per_day(self, professionals: int) -> int:
        """Return the most admissions in a day."""
        return int(self.per_day + self.per_day_and_professional * professionals)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupMotive:
    """A motive that may be stated for look-ups in the directory.

    `purpose` is a code of HL7 v3 PurposeOfUse, `label` a msgid, `kinds` are the kinds of requesters who may state it.
    """

    purpose: str
    label: str
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The terms of access in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
    code_length: int
    code_alphabet: str
    code_default: timedelta | None
    """How long the grant of a code lasts unless the person chooses otherwise; None: as long as its context lets it."""
    code_min: timedelta
    code_redeem: timedelta
    attempt_window: timedelta
    attempts_per_requester: int
    attempts_per_origin: int
    stay_after: timedelta
    stay_kinds: frozenset[str]
    unproved_stays_read: bool
    """Whether a stay gives access before the person's presence is proved."""
    admissions: AdmissionLimits
    min_reason: int
    max_reason: int
    searches_per_requester: int
    searches_per_organization: int
    unknown_per_requester: int
    unknown_per_organization: int
    motives: tuple[LookupMotive, ...]
    """The motives of look-ups in the directory."""
    unstated_lookups_allowed: bool
    """Whether software may look people up without a motive, which then is recorded as not stated."""
    proofs_per_requester: int
    least_count: int
    """The smallest number of documents or persons that operators are shown; larger ones in steps of it."""
    app_token: timedelta
    app_code: timedelta
    app_launch: timedelta
    app_allowed: timedelta
    reach: dict[GrantKind, frozenset[Confidentiality]]
    """The levels of confidentiality that each kind of grant covers, in the order in which grants are preferred."""


def parse_policies(text: str) -> tuple[Policy, ...]:
    """Return the periods of a policy file (TOML), oldest first.

    Raises: ValueError when there is no period, KeyError when a field is missing.
    """
    return parse_periods(text, _parse_policy)


def _parse_policy(period: Json) -> Policy:
    code, attempts, emergency, apps = (period[part] for part in ("presence_code", "attempts", "emergency", "apps"))
    return Policy(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        code_length=code["length"],
        code_alphabet=code["alphabet"],
        code_default=timedelta(hours=code["default_hours"]) if code["use_default"] else None,
        code_min=timedelta(hours=code["min_hours"]),
        code_redeem=timedelta(hours=code["redeem_hours"]),
        attempt_window=timedelta(minutes=attempts["window_minutes"]),
        attempts_per_requester=attempts["per_requester"],
        attempts_per_origin=attempts["per_origin"],
        stay_after=timedelta(days=period["stay"]["days_after_discharge"]),
        stay_kinds=frozenset(period["stay"]["kinds"]),
        unproved_stays_read={"reads": True, "nothing": False}[period["stay"]["unproved"]],
        admissions=AdmissionLimits(**period["admissions"]),
        min_reason=emergency["min_reason"],
        max_reason=emergency["max_reason"],
        searches_per_requester=period["person_searches"]["per_requester"],
        proofs_per_requester=period["proofs"]["per_requester"],
        motives=tuple(_motive(one) for one in period["lookups"]["motive"]),
        unstated_lookups_allowed={"recorded": True, "refused": False}[period["lookups"]["unstated"]],
        least_count=period["counts"]["least"],
        searches_per_organization=period["person_searches"]["per_organization"],
        unknown_per_requester=period["person_searches"]["unknown_per_requester"],
        unknown_per_organization=period["person_searches"]["unknown_per_organization"],
        app_token=timedelta(minutes=apps["token_minutes"]),
        app_code=timedelta(seconds=apps["code_seconds"]),
        app_launch=timedelta(minutes=apps["launch_minutes"]),
        app_allowed=timedelta(days=apps["allowed_days"]),
        reach={GrantKind(grant["kind"]): _levels(grant) for grant in period["grant"]},
    )


def _motive(given: Json) -> LookupMotive:
    return LookupMotive(purpose=given["purpose"], label=given["label"], kinds=frozenset(given["kinds"]))


def _levels(grant: Json) -> frozenset[Confidentiality]:
    return frozenset(Confidentiality(level) for level in grant["confidentiality"])
