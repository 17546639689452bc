"""Random acts of patient, doctors, hospital and operators: what pages say about access is what requests get."""

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esante.core.journal import SYSTEM
from esante.core.web import Problem
from esante.identity.access import Confidentiality, RecordState, Requester, requester_of
from esante.identity.access.authn import authentication
from esante.identity.directory import Person
from tests.support.record import World, letter
from tests.support.record_pages import load_page, page_app, sign_in

ACTS = (
    "circle", "code", "code at hospital", "emergency", "admit", "discharge", "entered in error", "revoke", "allow stays",
    "block doctor", "block hospital", "unblock", "opt out", "opt in", "close", "reopen", "restrict", "hide", "show",
    "not justified", "suspend", "restore",
    "emergency admission", "renew", "extend", "16 days pass", "46 days pass", "forget ends",
)  # fmt: skip
act_lists = st.lists(st.sampled_from(ACTS), min_size=1, max_size=14)


@dataclass
class Case:
    """A person with an open record and one document of a laboratory, and those who may act on it."""

    world: World
    person: Person
    document_id: UUID

    def __post_init__(self) -> None:
        people = self.world.people
        self.patient = requester_of(self.person)
        self.doctor, self.surgeon, self.hospital = people["other"], people["surgeon"], people["hospital"]
        self.stays, self.emergency = [], None

    async def do(self, act: str) -> None:
        """Do an act; one that is refused in this state changes nothing."""
        with contextlib.suppress(Problem):
            await self._do(act)

    async def _do(self, act: str) -> None:
        access, patient = self.world.access, self.patient
        match act:
            case "circle":
                await access.grants.add_to_circle(patient, self.doctor.id)
            case "code":
                await access.codes.redeem(self.doctor, await access.codes.issue(patient))
            case "code at hospital":
                await access.codes.redeem(self.surgeon, await access.codes.issue(patient))
            case "emergency":
                identifier = self.person.identifiers[0].value
                reason = "Unconscious after a fall"
                self.emergency = await access.emergencies.declare(
                    self.doctor, identifier, self.person.birth_date, reason
                )
            case "admit":
                stay, _ = await access.stays.admit(self.hospital, self.person.id)
                self.stays.append(stay)
            case "emergency admission":
                identifier = self.person.identifiers[0].value
                self.stays.append(
                    await access.stays.register_emergency(self.surgeon, identifier, self.person.birth_date)
                )
            case "renew" if self.stays:
                await access.stays.renew(self.hospital, self.person.id, self.stays[-1].id)
            case "extend" if self.stays:
                await access.stays.agree(patient, self.stays[-1].id)
            case "16 days pass" | "46 days pass":
                await self._let_pass(timedelta(days=int(act.split()[0])))
            case "forget ends":  # as in a database of before the ceilings
                await self.world.db.fetchval(
                    "UPDATE access_grant SET until = NULL WHERE person_id = $1 AND kind <> 'emergency'", self.person.id
                )
            case "discharge" if self.stays:
                stay = self.stays[-1]
                await access.stays.finish(self.hospital, self.person.id, stay.id, stay.began_at)
            case "entered in error" if self.stays:
                await access.stays.mark_entered_in_error(self.hospital, self.person.id, self.stays[-1].id)
            case "revoke":
                for grant in (await access.grants.list_active(self.person.id))[:1]:
                    await access.grants.revoke(patient, grant.id)
            case "allow stays":
                await access.grants.allow_stays(patient, self.hospital.id)
            case "block doctor":
                await access.restrictions.block(patient, "practitioner", self.doctor.id)
            case "block hospital":
                await access.restrictions.block(patient, "organization", self.hospital.id)
            case "unblock":
                for blocked in await access.restrictions.list_blocks(self.person.id):
                    await access.restrictions.unblock(patient, blocked.subject_id)
            case "opt out" | "opt in":
                await access.restrictions.set_sharing(patient, act == "opt in")
            case "close" | "reopen":
                await access.lifecycle.change(patient, act)
            case "restrict" | "hide" | "show":
                levels = {"restrict": Confidentiality.RESTRICTED, "hide": Confidentiality.HIDDEN}
                level = levels.get(act, Confidentiality.NORMAL)
                await self.world.record.set_confidentiality(patient, self.person.id, self.document_id, level)
            case "not justified" if self.emergency:
                operator = self.world.people["operator"]
                await access.emergencies.review(operator, self.emergency.id, "unjustified", "")
            case "suspend":
                await self.world.directory.suspensions.suspend(self.world.people["other_entry"], "x", actor=SYSTEM)
            case "restore":
                await self.world.directory.suspensions.restore(self.world.people["other_entry"], actor=SYSTEM)

    async def _let_pass(self, time: timedelta) -> None:
        """Move all grants into the past."""
        await self.world.db.fetchval(
            "UPDATE access_grant SET since = since - $2::interval, until = until - $2::interval WHERE person_id = $1",
            self.person.id,
            time,
        )

    async def reads(self, requester: Requester, document_id: UUID) -> bool:
        """Return whether a request of somebody, as the directory knows them now, gets a document."""
        known = await self.world.access.reauthorize(requester)
        if known is None:
            return False
        try:
            await self.world.record.content(known, self.person.id, document_id)
        except Problem as problem:
            assert problem.status == 404
            return False
        return True

    async def readers(self, document_id: UUID) -> set[str]:
        """Return the names of those whose requests get a document; of the surgeon, at work or not."""
        at_home = replace(self.surgeon, organization_id=None, organization="")
        asked = (self.doctor, self.surgeon, at_home, self.hospital)
        return {requester.name for requester in asked if await self.reads(requester, document_id)}


async def check_told_access(world, acts, app):
    """Do acts, then compare what the pages say of each holder with what their requests get."""
    await world.db.fetchval("DELETE FROM access_attempt")
    await world.directory.suspensions.restore(world.people["other_entry"], actor=SYSTEM)
    person, author = await world.person(), world.people["doctor"]
    changed, plain = [(await world.record.deposit(author, person.id, *letter())).document.id for _ in range(2)]
    case = Case(world, person, changed)
    for act in acts:
        await case.do(act)
    browser = await sign_in(app, case.patient)
    is_open = (await world.access.consent(person.id)).state is RecordState.OPEN
    for document_id in (changed, plain):
        page = await load_page(browser, f"/record/{document_id}", 200 if is_open else 404)
        named = {item.text_content() for item in page.xpath("//*[@aria-labelledby = 'who']//ul/li")}
        assert staff_included(case, named) == await case.readers(document_id), acts
    page = await load_page(browser, "/sharing")
    await browser.aclose()
    readers = await case.readers(plain)
    assert staff_included(case, names_in(case, page, "access")) == readers, acts
    for name in names_in(case, page, "paused") - names_in(case, page, "access"):
        assert name not in readers or case.hospital.name in names_in(case, page, "access"), acts


def names_in(case: Case, page, section: str) -> set[str]:
    """Return the holders that a section of the page about sharing lists."""
    texts = [item.text_content() for item in page.xpath(f"//*[@id = '{section}']/ul/li")]
    names = (case.doctor.name, case.surgeon.name, case.hospital.name)
    return {name for name in names if any(text.strip().startswith(name) for text in texts)}


def staff_included(case: Case, named: set[str]) -> set[str]:
    """Return the names that a page shows, and of an organisation those who work there."""
    return named | ({case.surgeon.name} if case.hospital.name in named else set())


@pytest.fixture(scope="module")
def app(world):
    """The pages of the record and of access."""
    return page_app(world)


@pytest.fixture
def no_cache(monkeypatch):
    """A change of the directory is known at once, as to a process that has cached nothing."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", 0.0)


@settings(max_examples=12)
@given(act_lists)
@example(["circle", "opt out"])
@example(["circle", "code", "block doctor"])
@example(["admit", "code at hospital", "block hospital"])
@example(["admit", "revoke", "entered in error", "admit"])
@example(["admit", "revoke", "code at hospital"])
@example(["emergency", "restrict", "not justified"])
@example(["circle", "restrict", "suspend"])
@example(["admit", "hide", "close", "reopen"])
@example(["admit", "forget ends", "46 days pass"])
@example(["admit", "renew", "46 days pass"])
@example(["code", "forget ends", "16 days pass"])
@example(["emergency admission", "16 days pass", "forget ends"])
@example(["admit", "emergency admission", "discharge", "extend"])
async def test_pages_name_exactly_those_whose_requests_get_a_document(world, app, no_cache, acts):
    await check_told_access(world, acts, app)


@pytest.mark.long
@settings(max_examples=300)
@given(act_lists)
async def test_pages_name_exactly_those_whose_requests_get_a_document_in_many_cases(world, app, no_cache, acts):
    await check_told_access(world, acts, app)
