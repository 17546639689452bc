"""A country whose professionals ask another one, which is a process of its own."""

import functools
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from esante.command_line import operator_of_shell
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, FieldKind, MaskField
from esante.services.exchange.country_b.asker import Asker
from esante.services.exchange.country_b.gateway import Gateway
from esante.services.exchange.country_b.model import Encounter
from esante.services.exchange.country_b.service import Encounters
from tests.support.contact_points import trial_country, trial_keys
from tests.support.directory_entries import a_practitioner, an_organization
from tests.support.foreign_contact_point import ForeignContactPoint

TABLES = ("exchange_contact_point", "exchange_encounter", "exchange_step")
PATIENT = "X110571344|ABC123"
DOMAIN = "1.2.276.0.76.3.1.580.147"
HOME = "1.2.276.0.76.4.291"
MASK = (
    MaskField(FieldKind.ID, "label.ism.nationalIdentityCardNumber", DOMAIN, r"^[A-Z]\d{9}\|[A-Z0-9]{6}$", True),
    MaskField(FieldKind.BIRTH_DATE, "label.ism.birthDate"),
    MaskField(FieldKind.TEXT, "label.ism.familyName"),
)
"""The mask of the recorded country: an identifier with an access code."""


class RecordedPoints(ContactPoints):
    """Contact points of which one has the home community and mask of the recorded messages."""

    async def all(self) -> list[ContactPoint]:  # type: ignore[override]
        """Return them with what the recorded country says of itself."""
        offers = frozenset({"60591-5", "57833-6", "11502-2"})
        return [replace(one, home=HOME, mask=MASK, offers=offers, fhir_url="") for one in await super().all()]


@dataclass
class EncounterWorld:
    """A doctor and a pharmacist of ours, and the contact point of a country that answers them."""

    encounters: Encounters
    points: ContactPoints
    there: ForeignContactPoint
    doctor: Requester
    pharmacist: Requester
    folder: Path

    async def ask(self, who: Requester, encounter: Encounter) -> Encounter:
        """Ask what an encounter waits for; return it with the answer."""
        await (await self.encounters.start(who, encounter))
        return await self.encounters.get(who, encounter.id)

    async def discover(self, values: Mapping[int, str] | None = None, who: Requester | None = None) -> Encounter:
        """Look for a patient of the country."""
        who = who or self.doctor
        return await self.ask(who, await self.encounters.open(who, "PT", values or {0: PATIENT}))

    async def treat(self, who: Requester | None = None) -> Encounter:
        """Find the recorded patient and confirm their treatment."""
        who = who or self.doctor
        encounter = await self.discover(who=who)
        return await self.encounters.confirm(who, encounter.id, "TREATMENT")

    async def list(self, encounter: Encounter, class_code: str, who: Requester | None = None) -> Encounter:
        """List documents of a class."""
        who = who or self.doctor
        return await self.ask(who, await self.encounters.begin_list(who, encounter.id, class_code))

    async def retrieve(self, encounter: Encounter, unique_id: str, who: Requester | None = None) -> Encounter:
        """Retrieve a document."""
        who = who or self.doctor
        return await self.ask(who, await self.encounters.begin_retrieval(who, encounter.id, unique_id))


async def build_world(
    db: Database, journal: Journal, folder: Path, there: ForeignContactPoint, seconds: float = 5.0
) -> EncounterWorld:
    """Return a world over a database, whose foreign contact point is a running process."""
    for table in TABLES:
        await db.fetch(f"DELETE FROM {table}")
    directory = Directory(db, journal)
    hospital = await directory.register_organization(an_organization())
    pharmacy = await directory.register_organization(an_organization(kind="pharmacy", name="Pharmacie du Test"))
    doctor = await directory.register_practitioner(a_practitioner(hospital))
    pharmacist = await directory.register_practitioner(a_practitioner(pharmacy, profession="pharmacist", title=""))
    shutil.copytree(trial_keys("LU"), folder / "exchange", dirs_exist_ok=True)
    points = RecordedPoints(db, journal, folder / "exchange", "LU", "2.999.1")
    await points.register(operator_of_shell("Ann"), *_published(there.url))
    asker = Asker(db, points, AuditTrail(db, journal), Gateway(points.client_context, seconds))
    encounters = Encounters(db, journal, points, directory, asker)
    sells = replace(requester_of(pharmacist, pharmacy), profession="pharmacist")
    return EncounterWorld(encounters, points, there, requester_of(doctor, hospital), sells, folder)


@functools.cache
def _published(url: str) -> tuple[Mapping[str, bytes], frozenset[str]]:
    portugal = trial_country("PT")
    return portugal.files(url), portugal.confirmed


def recorded(folder: Path, name: str) -> str:
    """Return a recorded answer, with its query id replaced by that of the query that it answers."""
    text = (folder / "ncpeh-messages" / name).read_text("utf-8")
    text = re.sub(r"(<\?xml[^>]*\?>|<!--.*?-->)", "", text, flags=re.DOTALL)
    text = re.sub(
        r'queryId root="[^"]*"(?: extension="[^"]*")?', 'queryId root="$QUERY" extension="$QUERY_EXTENSION"', text
    )
    return text.replace("HOME_COMM_ID", HOME)
