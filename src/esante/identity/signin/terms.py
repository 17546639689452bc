"""The dated terms of signing in (`data/sign_in.toml`)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json
from esante.identity.signin.model import CodePurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTerms:
    """The terms in force from `valid_from` until the next period begins.

    `validity`: of a code by its purpose. `code_failures`: how often the number beside a code may be wrong.
    `ceremony`: how long a browser has to go on. `starts_per_network`: ceremonies of a network in a `window`.
    """

    valid_from: date
    code_length: int
    code_alphabet: str
    validity: dict[CodePurpose, timedelta]
    code_failures: int
    ceremony: timedelta
    most_passkeys: int
    starts_per_network: int
    window: timedelta


@lru_cache(maxsize=64)
def sign_in_terms(on: date) -> SignInTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[SignInTerms, ...]:
    return parse_periods(packaged_text("esante.identity.signin", "sign_in.toml"), _parse)


def _parse(period: Json) -> SignInTerms:
    return SignInTerms(
        valid_from=period["valid_from"],
        code_length=period["code_length"],
        code_alphabet=period["code_alphabet"],
        validity={
            CodePurpose.ACTIVATION: timedelta(days=period["activation_days"]),
            CodePurpose.RECOVERY: timedelta(days=period["recovery_days"]),
        },
        code_failures=period["code_failures"],
        ceremony=timedelta(minutes=period["ceremony_minutes"]),
        most_passkeys=period["most_passkeys"],
        starts_per_network=period["starts_per_network"],
        window=timedelta(minutes=period["window_minutes"]),
    )
