"""The dated terms of the detections: data/health_terms.toml, which says what each number means."""

from collections.abc import Mapping
from datetime import date
from functools import cache

import msgspec

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.soc.health.facts.model import CareKind


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days for which facts are kept."""

    visits: int
    contacts: int
    hours: int
    presences: int
    acts: int
    emergencies: int
    alert_about: int


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of contact that explains an access, of the user or of their organisation."""

    kind: CareKind
    scope: str
    before: int
    after: int


class StayTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a stay explains accesses."""

    before: int
    after: int


class Snooping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points of accesses that nothing explains."""

    wait_hours: int
    alert: int
    unexplained: int
    household: int
    family: int
    colleague: int
    watched: int
    organization_minus: int
    own: int
    opened_many: int
    many: int
    never_in_contact: int
    only_list_minus: int
    again: int
    again_most: int
    usual_unexplained: float
    usual_minus: int
    least_visits: int


class BreakGlass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When emergency accesses are questioned."""

    follow_up_hours: int
    window_days: int
    least: int
    unfollowed_share: float
    peer_factor: float
    peer_least: int
    related: int
    without_follow_up: int
    often: int


class Admission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a stay without care is questioned."""

    wait_days: int
    open_days: int
    alert: int
    base: int
    proved_minus: int
    short_hours: int
    short: int
    opened_many: int
    many: int


class MassReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an hour of reading is questioned."""

    least: int
    own_factor: float
    peer_factor: float
    history_days: int
    least_hours: int
    walk_least: int
    walk_share: float
    base: int
    walk: int
    per_person: int


class Sessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When credentials seem shared, or places impossible."""

    pause_minutes: int
    window_minutes: int
    turns: int
    turns_same_software: int
    shared: int
    place: int
    minutes_same_town: int
    minutes_same_district: int
    minutes_elsewhere: int
    place_turns: int


class Probing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When refusals and empty searches are questioned."""

    refusals: int
    unknown: int
    share: float
    sweeps: int
    base: int
    per_ten: int


class FeeNotes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When fee notes are questioned."""

    duplicate_days: int
    peer_factor: float
    least_acts: int
    history_days: int
    deceased: int
    absent: int
    duplicate: int
    acts_a_day: int
    exempt_absent: tuple[str, ...]
    exempt_duplicate: tuple[str, ...]


class Death(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When accesses after a death are questioned."""

    grace_days: int
    base: int
    refused: int


class Invented(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points of acts on invented persons."""

    searched: int
    opened: int


class HealthTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
    keep: Keep
    explanation: tuple[Template, ...]
    stay: StayTemplate
    snooping: Snooping
    break_glass: BreakGlass
    admission: Admission
    mass_reading: MassReading
    sessions: Sessions
    probing: Probing
    fee_notes: FeeNotes
    death: Death
    invented: Invented


def terms_on(day: date) -> HealthTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[HealthTerms, ...]:
    return parse_periods(packaged_text("esante.services.soc", "health_terms.toml"), _terms)


def _terms(period: Mapping[str, object]) -> HealthTerms:
    return msgspec.convert(period, HealthTerms)
