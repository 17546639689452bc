"""How sure the platform must be who signs in: dated levels of assurance, and when it asks again (data/assurance.toml).

Source: Regulation (EU) No 910/2014 (eIDAS), article 8: low, substantial, high.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json
from esante.identity.access.model import Authentication

ASSURANCE_LEVELS = ("", "low", "substantial", "high")
"""The levels of assurance, the lowest first; "": none is stated."""
METHODS_WITHOUT_LEVEL = ("demo", "key")
"""Methods without a level: the people of the demonstration, and the access keys of vendors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUp:
    """A sensitive act: the form of the portal with this path needs an authentication that is not older than `within`.

    `pattern` matches the whole path.
    """

    path: str
    pattern: re.Pattern[str]
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AssuranceRules:
    """The rules in force from `valid_from` on.

    `methods` and `acrs`: the level of a method of the platform, and of what a sign-in service states; `lowest`: by
    kind of requester.
    """

    valid_from: date
    methods: dict[str, str]
    acrs: dict[str, str]
    lowest: dict[str, str]
    step_ups: tuple[StepUp, ...]

    def admits(self, kind: str, authentication: Authentication) -> bool:
        """Return whether somebody of a kind may sign in with an authentication."""
        if authentication.method in METHODS_WITHOUT_LEVEL:
            return True
        return ASSURANCE_LEVELS.index(authentication.assurance) >= ASSURANCE_LEVELS.index(self.lowest.get(kind, ""))

    def step_up(self, path: str, authentication: Authentication | None, now: datetime) -> StepUp | None:
        """Return the rule by which a requester must confirm who they are before the form of a path; None: need not."""
        if authentication is not None and authentication.method in METHODS_WITHOUT_LEVEL:
            return None
        for rule in self.step_ups:
            if rule.pattern.fullmatch(path) and (authentication is None or now - authentication.at > rule.within):
                return rule
        return None


@lru_cache(maxsize=64)
def assurance_rules(on: date) -> AssuranceRules:
    """Return the rules in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[AssuranceRules, ...]:
    return parse_periods(packaged_text("esante.identity.access", "assurance.toml"), _parse)


def _parse(period: Json) -> AssuranceRules:
    def levels(table: str, key: str) -> dict[str, str]:
        return {row[key]: ASSURANCE_LEVELS[ASSURANCE_LEVELS.index(row["level"])] for row in period[table]}

    return AssuranceRules(
        valid_from=period["valid_from"],
        methods=levels("method", "key"),
        acrs=levels("acr", "value"),
        lowest=levels("lowest", "kind"),
        step_ups=tuple(
            StepUp(
                path=row["path"],
                pattern=re.compile("[^/]+".join(map(re.escape, row["path"].split("*")))),
                within=timedelta(minutes=row["minutes"]),
            )
            for row in period["step_up"]
        ),
    )
