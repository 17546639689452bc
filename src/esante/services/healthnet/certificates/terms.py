"""Terms of certificates: algorithms and times, as dated data (data/certificates.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.healthnet.certificates.algorithms import ALGORITHMS


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateTerms:
    """What certificates that are signed from a day on are like."""

    valid_from: date
    root_algorithm: str
    root_lasts: timedelta
    intermediate_algorithm: str
    intermediate_lasts: timedelta
    site_algorithms: frozenset[str]
    site_lasts: timedelta
    renew_after: timedelta
    is_verified: bool


def _period(row: dict[str, Any]) -> CertificateTerms:
    names = {row["root_algorithm"], row["intermediate_algorithm"], *row["site_algorithms"]}
    if unknown := names - ALGORITHMS.keys():
        raise ValueError(f"unknown algorithm {min(unknown)}: one of {', '.join(ALGORITHMS)}")
    if not 0 < row["renew_after_days"] < row["site_days"]:
        raise ValueError("renew_after_days must be less than site_days, or sites lose their certificates")
    return CertificateTerms(
        valid_from=row["valid_from"],
        root_algorithm=row["root_algorithm"],
        root_lasts=timedelta(days=365 * row["root_years"]),
        intermediate_algorithm=row["intermediate_algorithm"],
        intermediate_lasts=timedelta(days=row["intermediate_days"]),
        site_algorithms=frozenset(row["site_algorithms"]),
        site_lasts=timedelta(days=row["site_days"]),
        renew_after=timedelta(days=row["renew_after_days"]),
        is_verified=row["verified"],
    )


def parse_terms(text: str) -> tuple[CertificateTerms, ...]:
    """Return the periods of a file. Raises: ValueError, KeyError."""
    return parse_periods(text, _period)


@cache
def _packaged() -> tuple[CertificateTerms, ...]:
    return parse_terms(packaged_text("esante.services.healthnet", "certificates.toml"))


def terms_on(day: date) -> CertificateTerms:
    """Return the terms in force on a day."""
    return in_force(_packaged(), day)
