"""The consumer of the journal: facts, cursor and alerts of a batch are written in one transaction, or none of them.

The key of an alert is made of what was found, so a batch that is handled again after a crash alerts once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, Database
from esante.core.time_zone import time_zone, today
from esante.identity.access import Disposition, StepOutcome
from esante.identity.directory import Directory, Namesakes
from esante.services.soc.alerts.model import Evidence, Level, NewAlert, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.health.context.directory_people import DirectoryPeople
from esante.services.soc.health.detections.model import Detection, Finding
from esante.services.soc.health.detections.parameters import terms_on
from esante.services.soc.health.engine import Engine
from esante.services.soc.health.facts import fact_store
from esante.services.soc.health.facts.extract import SiteOf, organization_site
from esante.services.soc.health.facts.fact_store import TableFacts
from esante.services.soc.health.facts.sources import sources
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.health.words import TITLES, stored_values
from esante.services.soc.tenants.service import Tenants

READER = "soc.health"
_AT_ONCE = 500
"""Rows of a table that one step of a disposition deletes."""
_TECHNIQUES: Mapping[Detection, tuple[str, ...]] = {
    Detection.MASS_READING: ("T1213",),
    Detection.SHARED_CREDENTIALS: ("T1078",),
    Detection.IMPOSSIBLE_PLACE: ("T1078",),
    Detection.PROBING: ("T1087", "T1595"),
}
"""Techniques of ATT&CK, where one fits."""


class HealthWatch:
    """Follows the journal, and raises alerts about accesses to health data.

    `site_of`: from which site an entry came (`facts.extract`).
    """

    def __init__(
        self,
        db: Database,
        directory: Directory,
        tenants: Tenants,
        alerts: Alerts,
        lists: MarkLists,
        *,
        site_of: SiteOf = organization_site,
    ) -> None:
        self._db, self._directory, self._tenants, self._alerts = db, directory, tenants, alerts
        self._lists, self._site_of = lists, site_of
        self._namesakes = Namesakes(db)

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal."""
        return Consumer(READER, sources().events, self._handle)

    async def tidy(self) -> int:
        """Delete facts that are older than the terms say; return how many."""
        keep = terms_on(today()).keep
        days = {
            fact_store.VISIT: keep.visits,
            fact_store.CARE_CONTACT: keep.contacts,
            fact_store.STAY: keep.contacts,
            fact_store.EMERGENCY: keep.emergencies,
            fact_store.USER_HOUR: keep.hours,
            fact_store.PRESENCE: keep.presences,
            fact_store.BILLED_ACT: keep.acts,
        }
        midnight = datetime.combine(clock.now().astimezone(time_zone()), time(), time_zone())
        async with self._db.transaction() as conn:
            return await fact_store.delete_older(
                conn, {table: midnight - timedelta(days=count) for table, count in days.items()}
            )

    async def delete_some(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete some facts of a person whose record is deleted, and the watch of it."""
        deleted = await fact_store.delete_of_person(conn, disposition.person_id, _AT_ONCE)
        deleted += await self._lists.delete_of_person(conn, disposition.person_id)
        return StepOutcome(deleted, finished=deleted < _AT_ONCE)

    async def _handle(self, conn: Connection, entries: list[Entry]) -> None:
        """Handle a batch. A journal that is read for the first time gives facts of all its care, and no old alerts."""
        now, keep = clock.now(), terms_on(today()).keep
        oldest, reading = now - timedelta(days=keep.visits), sources().reading
        entries = [one for one in entries if one.at >= oldest or one.type not in reading]
        if not entries:
            return
        people = DirectoryPeople(conn, self._directory, self._namesakes)
        engine = Engine(TableFacts(conn), people, site_of=self._site_of)
        since = now - timedelta(days=keep.alert_about)
        found = [one for one in await engine.take(entries) if one.last_at >= since]
        if found:
            await self._alerts.raise_in(conn, await self._new_alerts(found))

    async def _new_alerts(self, found: Sequence[Finding]) -> list[NewAlert]:
        """Return findings as alerts of the members for which their users acted; of the agency for all others."""
        names = await self._names(found)
        organizations = {one.organization_id for one in found if one.organization_id}
        members = await self._tenants.of_organizations(organizations)
        agency = (await self._tenants.agency()).tenant_id
        return [
            _alert(one, members[key].tenant_id if (key := one.organization_id) in members else agency, names)
            for one in found
        ]

    async def _names(self, found: Sequence[Finding]) -> dict[UUID, str]:
        keys = {value for one in found for sentence in one.sentences for value in sentence.values.values()}
        ids = {key for key in keys if isinstance(key, UUID)} | {one.user_id for one in found}
        practitioners, organizations = (
            await self._directory.practitioners(ids),
            await self._directory.organizations(ids),
        )
        named: dict[UUID, Any] = {**organizations, **practitioners}
        return {id_: one.name for id_, one in named.items()}


def level_of(score: int) -> Level:
    """Return the level of a score."""
    if score >= 80:
        return Level.CRITICAL
    if score >= 60:
        return Level.HIGH
    return Level.MEDIUM if score >= 40 else Level.LOW


def _alert(finding: Finding, tenant_id: UUID, names: Mapping[UUID, str]) -> NewAlert:
    return NewAlert(
        tenant_id=tenant_id,
        key=f"health:{finding.key}",
        first_at=finding.first_at,
        last_at=finding.last_at,
        origin=Origin.HEALTH,
        rule=f"health.{finding.detection}",
        title=TITLES[finding.detection],
        level=level_of(finding.score),
        subject=names.get(finding.user_id, str(finding.user_id)),
        why=finding.sentences[0].text,
        values=stored_values(finding, names),
        techniques=_TECHNIQUES.get(finding.detection, ()),
        evidence=tuple(Evidence(field="entry", value=str(one), event=str(one)) for one in finding.evidence),
        person_id=finding.person_id,
    )
