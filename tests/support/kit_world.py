"""A served world for conformance kits: a patient in a hospital, and software of every kind that may reach them."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey

from esante.core.journal import SYSTEM
from esante.core.storage import uuid7
from esante.core.web import COOKIE
from esante.identity.access import Access, Grant, GrantKind
from esante.identity.directory import Directory
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Run, Verdict
from esante.services.conformance.kits.runner import run_kit
from esante.services.exchange.hospital.certificates import OrganizationCertificates
from tests.support.exchange import Card, make_card
from tests.support.processes import Server, run_esante
from tests.support.small_world import LOCAL_SYSTEM, SmallWorld, build_small_world, open_test_platform

SYSTEM_SCOPE = "system/*.cruds"
CALLBACK = "http://127.0.0.1:9090/callback"


@dataclass
class KitWorld:
    """A served small world whose first person is in hospital.

    `key` is that of the hospital's software, `card` the key by which the hospital signs assertions.
    """

    world: SmallWorld
    server: Server
    key: ECKey
    card: Card

    @property
    def fhir(self) -> str:
        """The address of the FHIR API."""
        return f"{self.server.base}/fhir"

    @property
    def options(self) -> dict[str, str]:
        """The options that most kits take."""
        return {
            "patient": f"{LOCAL_SYSTEM}|person-0",
            "token": self.world.tokens["hospital"],
            "client": "kit-hospital",
            "key": orjson.dumps(self.key.as_dict(private=True)).decode(),
        }

    @property
    def app_options(self) -> dict[str, str]:
        """The options of an app that the patient opens."""
        return {
            "app": "kit-app",
            "redirect": CALLBACK,
            "cookie": f"{COOKIE}={self.world.cookies['patient']}",
            "other-patient": str(self.world.persons[1].id),
        }

    async def run(
        self, kit: str, options: dict[str, str], transport: httpx.AsyncBaseTransport | None = None, path: str = "/fhir"
    ) -> Run:
        """Run a kit against the world, or through a transport that is a twin of it."""
        return await run_kit(kits()[kit], f"{self.server.base}{path}", options, lambda *_: None, transport)


async def serve_kit_world(data: Path) -> KitWorld:
    """Build and serve the world."""
    world = await build_small_world(data)
    async with open_test_platform(data) as platform:
        hospital = world.holders["hospital"]
        stay = Grant(
            id=uuid7(),
            person_id=world.persons[0].id,
            kind=GrantKind.STAY,
            holder_kind=hospital.kind,
            holder_id=hospital.id,
            holder=hospital.name,
            since=datetime.now(UTC) - timedelta(minutes=1),
        )
        await platform.db.write(platform[Access].grants.grant_rows(stay))
        organization = await platform[Directory].organization(hospital.id)
        assert organization is not None
        card = make_card("Hospital")
        await platform[OrganizationCertificates].register(card.pem, organization, actor=SYSTEM)
    key = ECKey.generate_key("P-384", parameters={"kid": "1"}, private=True)
    await _register(
        data,
        client_id="kit-hospital",
        client_name="Kit",
        maker="Exempla Software",
        organization=f"{LOCAL_SYSTEM}|hospital",
        scope=SYSTEM_SCOPE,
        jwks={"keys": [key.as_dict(private=False)]},
    )
    await _register(
        data,
        client_id="kit-app",
        client_name="Kit app",
        maker="Exempla Software",
        redirect_uris=[CALLBACK],
        scope="launch/patient patient/*.cruds openid fhirUser offline_access",
    )
    server = await asyncio.to_thread(Server(data).start)
    return KitWorld(world, server, key, card)


async def _register(data: Path, **registration: Any) -> None:
    file = data.with_name("client.json")
    file.write_bytes(orjson.dumps(registration))
    await asyncio.to_thread(run_esante, "client", "register", "--data", data, file)


def failed(run: Run) -> list[str]:
    """Return the requirements that a run found not to be met."""
    return [one.requirement for one in run.outcomes if one.verdict is Verdict.FAILED]


def not_passed(run: Run) -> list[tuple[str, str, str]]:
    """Return what a run found out about requirements that are not met, or were not tested."""
    return [(one.requirement, one.verdict, one.what) for one in run.outcomes if one.verdict is not Verdict.PASSED]


def assert_only_fault(run: Run, requirement: str) -> None:
    """Assert that a run found one requirement not met, said why and how to mend it, and blocked what needs it."""
    assert failed(run) == [requirement], not_passed(run)
    outcome = next(one for one in run.outcomes if one.requirement == requirement)
    assert outcome.what and outcome.remedy and outcome.exchanges
    blocked = {one.requirement for one in run.outcomes if one.verdict is Verdict.BLOCKED}
    needing = {one.id for one in kits()[run.kit].requirements if requirement in one.needs}
    assert needing <= blocked and not run.passed


def twin_cases(kit: str) -> list[Any]:
    """Return the requirements of a kit as cases of its twins: one of three always, the others in long runs."""
    ids = [one.id for one in kits()[kit].requirements]
    return [pytest.param(one, marks=[pytest.mark.long] if place % 3 else []) for place, one in enumerate(ids)]
