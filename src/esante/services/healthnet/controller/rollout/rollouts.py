"""Staged roll-outs of policies: a canary group, then percentages; stopped and undone by itself on failures."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, insert, uuid7
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.model import ControlRefused, Rollout, RolloutChanged, RolloutSite
from esante.services.healthnet.controller.rollout import bundle_store, rollout_store
from esante.services.healthnet.policy.model import Policy, Site
from esante.services.healthnet.policy.network import Network, check_sites

DEFAULT_STAGES = (5, 25, 100)


class Rollouts:
    """Begins roll-outs and takes their steps."""

    def __init__(self, db: Database, journal: Journal, read_policy: Callable[[str], Policy]) -> None:
        self._db, self._journal, self._read_policy = db, journal, read_policy

    async def begin(
        self,
        text: str,
        canary: Sequence[str] = (),
        *,
        stages: Sequence[int] = DEFAULT_STAGES,
        tolerance: int = 2,
        soak: int = 60,
        patience: int = 180,
        actor: Actor = SYSTEM,
    ) -> UUID | None:
        """Roll out a policy; the first one of all is in force at once (None).

        `canary`: sites that get it first, without any failure. `stages`: percentages of the sites, the last one 100.
        `soak`: seconds for which each stage lasts at least. `patience`: seconds within which a site must say that it
        applied its bundle.
        Raises: PolicyError for a policy that is refused or does not suit the sites, ControlRefused.
        """
        policy = self._read_policy(text)
        if [*stages] != sorted(set(stages)) or not stages or stages[-1] != 100 or stages[0] < 1:
            raise ControlRefused(400, "the stages are percentages that rise to 100")
        async with self._db.transaction() as conn:
            await conn.execute("LOCK TABLE healthnet_policy IN SHARE ROW EXCLUSIVE MODE")
            before = await rollout_store.version_in_force(conn)
            if await rollout_store.fetch_running(conn):
                raise ControlRefused(409, "a roll-out is running: stop it, or wait for its end")
            connections = [one for one in await connection_store.fetch_connections(conn) if not one.is_revoked]
            sites = [Site(key=c.facts.site, kind=c.facts.kind, profession=c.facts.profession) for c in connections]
            if sites:
                await asyncio.to_thread(lambda: check_sites(policy, Network(policy, sites)))
            version = await rollout_store.newest_version(conn) + 1
            await insert(conn, [(rollout_store.POLICY, (version, text, before == 0, clock.now()))])
            if before == 0:
                return None
            names = [site.key for site in sites]
            if unknown := set(canary) - set(names):
                raise ControlRefused(400, f"the canary group names {min(unknown)}, which is not connected")
            rollout = Rollout(
                rollout_id=uuid7(),
                policy_version=version,
                before_version=before,
                state="running",
                stages=tuple(stages),
                stage=0 if canary else 1,
                stage_at=clock.now(),
                tolerance=tolerance,
                soak=soak,
                patience=patience,
                reason="",
            )
            await rollout_store.insert_rollout(conn, rollout, stages_of(names, canary, stages, str(version)))
            await self._note(conn, rollout, "running", rollout.stage, actor=actor)
        return rollout.rollout_id

    async def stop(self, reason: str, actor: Actor = SYSTEM) -> None:
        """Undo the roll-out that runs. Raises: ControlRefused when none does."""
        async with self._db.transaction() as conn:
            rollout = await rollout_store.fetch_running(conn)
            if rollout is None:
                raise ControlRefused(409, "no roll-out is running")
            await self._undo(conn, rollout, await rollout_store.fetch_sites(conn, rollout), reason, actor)

    async def step(self, conn: Conn) -> None:
        """Take the next step of the roll-out that runs: move the sites of its stage, go on, end, or undo it."""
        rollout = await rollout_store.fetch_running(conn)
        if rollout is None:
            return
        sites = await rollout_store.fetch_sites(conn, rollout)
        now = clock.now()
        stage = [one for one in sites if one.stage == rollout.stage]
        if waiting := [one.site for one in stage if one.moved_at is None]:
            await rollout_store.move(conn, rollout, waiting, now)
            await bundle_store.ask(conn, dict.fromkeys(waiting, 0))
            return
        results = {one.site: result_of(one, now, rollout.patience) for one in sites if one.moved_at}
        failed = sorted(site for site, result in results.items() if result == "failed")
        if failed and (rollout.stage == 0 or len(failed) * 100 > rollout.tolerance * len(results)):
            reason = f"{len(failed)} of {len(results)} sites could not use it: {', '.join(failed[:10])}"
            await self._undo(conn, rollout, sites, reason)
        elif is_proved([results[one.site] for one in stage]) and now - rollout.stage_at >= timedelta(
            seconds=rollout.soak
        ):
            await self._go_on(conn, rollout, now)

    async def note_serials(self, conn: Conn) -> None:
        """Note the bundles that sites of the running roll-out were offered."""
        if rollout := await rollout_store.fetch_running(conn):
            await rollout_store.keep_serials(conn, rollout)

    async def _go_on(self, conn: Conn, rollout: Rollout, now: datetime) -> None:
        if rollout.stage < len(rollout.stages):
            await rollout_store.set_stage(conn, rollout, rollout.stage + 1, now)
            await self._note(conn, rollout, "running", rollout.stage + 1)
            return
        await rollout_store.put_in_force(conn, rollout.policy_version)
        await rollout_store.end(conn, rollout, "done", "")
        late = await rollout_store.sites_with_other_policy(conn, rollout.policy_version)
        await rollout_store.set_policy(conn, late, rollout.policy_version)
        await bundle_store.ask(conn, dict.fromkeys(late, 0))
        await self._note(conn, rollout, "done", rollout.stage)

    async def _undo(
        self, conn: Conn, rollout: Rollout, sites: Iterable[RolloutSite], reason: str, actor: Actor = SYSTEM
    ) -> None:
        moved = {one.site: one.prior_serial for one in sites if one.moved_at}
        await rollout_store.end(conn, rollout, "undone", reason)
        await rollout_store.set_policy(conn, moved, rollout.before_version)
        await bundle_store.ask(conn, moved)
        await self._note(conn, rollout, "undone", rollout.stage, reason, actor)

    async def _note(
        self, conn: Conn, rollout: Rollout, state: str, stage: int, reason: str = "", actor: Actor = SYSTEM
    ) -> None:
        event = RolloutChanged(
            rollout_id=rollout.rollout_id,
            policy_version=rollout.policy_version,
            state=state,
            stage=stage,
            reason=reason,
        )
        await insert(conn, self._journal.rows(event, actor=actor))


def stages_of(sites: Iterable[str], canary: Iterable[str], stages: Sequence[int], seed: str) -> dict[str, int]:
    """Return the stage of each site: 0 for the canary group, then by chance, another one for each roll-out."""
    first = set(canary)
    others = sorted(set(sites) - first, key=lambda site: hashlib.sha256(f"{seed}/{site}".encode()).digest())
    found = dict.fromkeys(first, 0)
    for place, site in enumerate(others):
        share = 100 * place / len(others)
        found[site] = next(number for number, percentage in enumerate(stages, 1) if share < percentage)
    return found


def is_proved(results: Sequence[str]) -> bool:
    """Return whether a stage may end: every site has a result, and some of them use the new policy.

    When all are absent nothing is known of the policy: the network or the controller was away.
    """
    return "pending" not in results and (not results or not {"applied", "unchanged"}.isdisjoint(results))


def result_of(site: RolloutSite, now: datetime, patience: int) -> str:
    """Return what became of a site that was moved: unchanged, applied, failed, absent, pending.

    A site that was heard before and does not say what became of its bundle in time has failed; one that was not heard
    before is absent.
    """
    if site.moved_at is None or (site.serial == 0 and (site.prior_serial or site.was_present)):
        return "pending"
    if site.serial == site.prior_serial:
        return "unchanged" if site.serial else "absent"
    if site.receipt_serial >= site.serial:
        return "applied" if site.outcome == "applied" else "failed"
    if now - site.moved_at <= timedelta(seconds=patience):
        return "pending"
    return "failed" if site.was_present else "absent"
