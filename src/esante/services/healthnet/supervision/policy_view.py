"""What the policy in force says: who reaches whom, what a site reaches and why, what quarantine keeps; roll-outs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from uuid import UUID

from esante.core.storage import Database
from esante.core.web import N_, Page, Problem, bad_request, decode_cursor, encode_cursor
from esante.services.healthnet.policy.model import Decision, NetworkService, Policy, Rule, Site
from esante.services.healthnet.policy.parser import parse_policy
from esante.services.healthnet.policy.rules import Decider
from esante.services.healthnet.policy.site_pattern import site_of
from esante.services.healthnet.policy.vocabulary import national_vocabulary
from esante.services.healthnet.sites.model import NetworkSite
from esante.services.healthnet.sites.service import Sites, policy_site
from esante.services.healthnet.supervision import policy_store

PAGE_SIZE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A service that a site reaches: at how many sites, by which rule, and whether quarantine keeps it."""

    service: NetworkService
    sites: int
    names: tuple[str, ...]
    """Of the first sites."""
    rule: Rule
    in_quarantine: bool
    is_now: bool
    """Whether it reaches it now, with the quarantines that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a roll-out: its share of the sites (None: the canary group), and how many sites are how far."""

    number: int
    percentage: int | None
    sites: int
    moved: int
    applied: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """A roll-out as pages show it."""

    rollout_id: UUID
    policy_version: int
    before_version: int
    state: str
    stage: int
    stages: tuple[Stage, ...]
    begun_at: datetime
    reason: str


class PolicyView:
    """Reads policies and roll-outs; `fallback`: the file that holds before the first policy is released."""

    def __init__(self, db: Database, sites: Sites, fallback: str) -> None:
        self._db, self._sites, self._fallback = db, sites, fallback
        self._kept: tuple[int, Decider] | None = None

    async def decider(self) -> tuple[int, Decider]:
        """Return the version in force (0: none was released yet) and what decides by it."""
        row = await policy_store.fetch_in_force(self._db)
        version = row["version"] if row else 0
        if self._kept is None or self._kept[0] != version:
            text = row["text"] if row else self.packaged()
            self._kept = version, Decider(parse_policy("policy", text, national_vocabulary()))
        return self._kept

    def packaged(self) -> str:
        """Return the text of the policy of the settings, else of the packaged sample."""
        if self._fallback:
            return Path(self._fallback).read_text("utf-8")
        return (files("esante.services.healthnet") / "data" / "policy.yaml").read_text("utf-8")

    async def text(self) -> str:
        """Return the text of the policy in force."""
        row = await policy_store.fetch_in_force(self._db)
        return str(row["text"]) if row else self.packaged()

    async def text_of(self, version: int) -> str:
        """Return the text of a policy. Raises: Problem 404."""
        row = await policy_store.fetch_policy(self._db, version)
        if row is None:
            raise Problem(404, "not-found", N_("There is no such policy."))
        return str(row["text"])

    async def reach(self, source: str, target: str, service: str) -> Decision:
        """Return whether a site reaches another one: keys of sites, or KIND[/PROFESSION][+quarantined].

        Raises: Problem 400 for what is no site or service.
        """
        _, decider = await self.decider()
        if service not in decider.policy.services:
            raise bad_request("service", N_("Choose a service of the policy."), code="value")
        one, other = await self._site(source, "from"), await self._site(target, "to")
        return decider.reach(one, other, service)

    async def reaches(self, site: NetworkSite, *, inward: bool = False) -> list[Reached]:
        """Return the services that a site reaches (`inward`: that others reach at it), with rule and reason."""
        _, decider = await self.decider()
        own, others = policy_site(site), [one for one in await self._sites.connected() if one.key != site.key]
        services = decider.policy.services.values()
        found = [_reached(decider, own, others, one, inward=inward) for one in services]
        return [one for one in found if one is not None]

    async def rollouts(self, cursor: str | None) -> Page[RolloutState]:
        """Return roll-outs, the newest first. Raises: Problem 400 for a wrong cursor."""
        before = decode_cursor(cursor, int)[0] if cursor else None
        rows = await policy_store.fetch_rollouts(self._db, before, PAGE_SIZE + 1)
        found = [_rollout(row) for row in rows]
        more = encode_cursor(found[PAGE_SIZE - 1].policy_version) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def _site(self, text: str, place: str) -> Site:
        found = await self._sites.by_key(text.strip().upper())
        if found is not None:
            return policy_site(found)
        try:
            return site_of(text.strip(), {}, national_vocabulary(), place=place)
        except ValueError as error:
            remedy = N_("Write the key of a site, or a kind of site such as practice/doctor or laboratory.")
            raise bad_request(place, N_("This is not a site."), remedy, code="value") from error


def _reached(
    decider: Decider, own: Site, others: Sequence[NetworkSite], service: NetworkService, *, inward: bool
) -> Reached | None:
    """Return what a site reaches of a service in its normal state, None for nothing."""
    free = Site(key=own.key, kind=own.kind, profession=own.profession)
    names, rule, count, now = [], None, 0, 0
    for other in others:
        end = policy_site(other)
        pair, pair_now = ((end, free), (end, own)) if inward else ((free, end), (own, end))
        decision = decider.reach(*pair, service.key)
        if decision.is_allowed and decision.rule:
            rule, count = rule or decision.rule, count + 1
            names.append(other.name)
            now += decider.reach(*pair_now, service.key).is_allowed
    if rule is None:
        return None
    kept = decider.policy.quarantine
    return Reached(
        service=service,
        sites=count,
        names=tuple(sorted(set(names))[:3]),
        rule=rule,
        in_quarantine=service.key in (kept.offers if inward else kept.reaches),
        is_now=now > 0,
    )


def services_in_quarantine(policy: Policy) -> list[str]:
    """Return the titles of the services that sites in quarantine still reach."""
    return [one.title for key, one in policy.services.items() if key in policy.quarantine.reaches]


def _rollout(row: dict[str, object]) -> RolloutState:
    percentages: Sequence[int] = row["stages"]  # type: ignore[assignment]
    counts: Iterable[Sequence[int]] = json.loads(str(row["counts"]))
    stages = tuple(
        Stage(
            number=number,
            percentage=percentages[number - 1] if number else None,
            sites=sites,
            moved=moved,
            applied=applied,
        )
        for number, sites, moved, applied in counts
    )
    names = ("rollout_id", "policy_version", "before_version", "state", "stage", "begun_at", "reason")
    return RolloutState(stages=stages, **{name: row[name] for name in names})  # type: ignore[arg-type]
