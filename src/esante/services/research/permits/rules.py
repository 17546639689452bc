"""The decision whether a permit covers a use."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from esante.core.time_zone import day_of
from esante.core.web import N_
from esante.services.research.permits.model import Permit, PermitFault, PermitKind, PermitState


def check_use(
    permit: Permit | None, account_id: UUID, columns: Mapping[str, Collection[str]], now: datetime
) -> PermitFault | None:
    """Return why an account may not use columns ("dataset.table" to names) under a permit now; None: it may.

    No permit and one of others are the same fault. An approved data request gives nobody columns (Article 69).
    """
    if permit is None or account_id not in permit.members:
        return PermitFault(
            "not-a-member",
            "Art. 73(1)(b)",
            N_("There is no permit on which you are named."),
            N_("Ask the holder of the permit to apply for an amendment that names you."),
        )
    if permit.kind is PermitKind.REQUEST:
        return PermitFault(
            "statistics-only",
            "Art. 69",
            N_("A data request is answered with statistics only."),
            N_("Apply for a data permit if you need to work with the data."),
        )
    return fault_of_time(permit, now) or _fault_of_columns(permit, columns)


def fault_of_time(permit: Permit, now: datetime) -> PermitFault | None:
    """Return why a permit or data request is not in force at a moment; None: it is."""
    day = day_of(now)
    if permit.withdrawn_at is not None and permit.withdrawn_at <= now:
        return PermitFault(
            "withdrawn",
            "Art. 68",
            N_("The permit was withdrawn."),
            N_("Read the reason on the page of the permit; apply again once it no longer holds."),
        )
    if day > permit.valid_to:
        return PermitFault(
            "expired", "Art. 68", N_("The permit has expired."), N_("Apply again if you still need the data.")
        )
    if day < permit.valid_from:
        return PermitFault(
            "not-yet", "Art. 68", N_("The permit is not valid yet."), N_("Wait for its first day, or apply again.")
        )
    return None


def _fault_of_columns(permit: Permit, columns: Mapping[str, Collection[str]]) -> PermitFault | None:
    wanted = {f"{table}.{name}" for table, names in columns.items() for name in names}
    covered = {f"{table}.{name}" for table, names in permit.columns.items() for name in names}
    missing = wanted - covered | (columns.keys() - permit.columns.keys())
    if not missing:
        return None
    return PermitFault(
        "not-covered",
        "Art. 68",
        N_("The permit does not cover this data."),
        N_("Use only the tables and columns of the permit, or apply for more."),
        tuple(sorted(missing)),
    )


def state_on(permit: Permit, day: date) -> PermitState:
    """Return the state of a permit on a day."""
    if permit.withdrawn_at is not None:
        return PermitState.WITHDRAWN
    if day > permit.valid_to:
        return PermitState.EXPIRED
    return PermitState.COMING if day < permit.valid_from else PermitState.VALID
