"""The pages of operators, of doses and of the release of a study."""

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Requester, requester_of
from esante.services.imaging.deidentification.service import Copies
from esante.services.imaging.dose.service import Doses
from esante.services.imaging.operation.service import Operation
from esante.services.imaging.pages.dose_pages import DosePages
from esante.services.imaging.pages.operator_pages import OperatorPages
from esante.services.imaging.pages.release_pages import ReleasePages
from esante.services.imaging.release.service import Releases
from tests.services.imaging.dose.test_doses import CHEST, dose_file
from tests.support.dicom import ct_image, file_of, stow, study_files, uids
from tests.support.record_pages import load_page, page_app, sign_in


@pytest.fixture(scope="module")
def app(world, imaging):
    """An application with these pages, and a way to sign in as anybody."""
    app, archive = page_app(world), imaging.archive
    copies = Copies(world.db, world.journal, archive.contents, world.record, world.directory, world.access)
    doses = Doses(world.db, archive, world.record, world.directory)
    pages = [
        *DosePages(doses, world.access, world.directory).routes(),
        *ReleasePages(Releases(world.db, archive, world.record), world.access, world.directory).routes(),
        *OperatorPages(Operation(world.db, world.journal), copies, world.access).routes(),
    ]
    app.router.routes.extend(pages)
    return app


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a client in which the requester is signed in."""
    clients = []

    async def visit(requester):
        clients.append(await sign_in(app, requester, with_token=True))
        return clients[-1]

    yield visit
    for client in clients:
        await client.aclose()


def operator(name: str = "Olivia") -> Requester:
    """Return an operator."""
    return Requester(kind="operator", id=uuid7(), name=name)


async def words(client, address: str) -> str:
    """Return the text of a page."""
    return " ".join((await load_page(client, address)).text_content().split())


async def test_operator_finds_an_image_in_quarantine_by_reason_and_settles_it(browse, imaging, world, person):
    stranger = ct_image(await world.person("Schmit", given=("Paul",), sex="male"))
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(
            client, [file_of(stranger)], patient=f"urn:example:record-tests|{person.identifiers[0].value}"
        )
        assert answer.status_code == 409
    browser = await browse(operator())
    uid = stranger.StudyInstanceUID
    shown = await words(browser, "/operator/images?q=another+patient")
    assert uid in shown and "Hôpital du Nord" in shown
    assert person.family not in shown and "Schmit" not in shown
    assert "No image in quarantine has these words" in await words(browser, "/operator/images?q=nothing-like-it")
    key = await world.db.fetchval("SELECT quarantine_id FROM imaging_quarantine WHERE study_uid = $1", uid)
    address = f"/operator/images/quarantine/{key}/settle"
    assert (await browser.post(address, data={"note": ""})).status_code == 400
    assert (await browser.post(address, data={"note": "The hospital sent it again."})).status_code == 303
    assert (await browser.post(address, data={"note": "Once more."})).status_code == 409
    assert uid not in await words(browser, f"/operator/images?q={uid}")
    assert "The hospital sent it again. (Olivia" in await words(browser, f"/operator/images?show=settled&q={uid}")


async def test_list_of_quarantine_has_pages(browse, imaging, world, person):
    files = [file_of(ct_image(person, PixelData=b"ab", InstanceNumber=place)) for place in range(25)]
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 409
    browser = await browse(operator())
    first = await load_page(browser, "/operator/images?q=size")
    [link] = first.xpath("//a[@rel='next']/@href")
    assert len(first.xpath("//li[contains(@class, 'entry')]")) == 20
    assert len((await load_page(browser, link)).xpath("//li[contains(@class, 'entry')]")) == 5


async def test_two_operators_agree_on_a_copy_on_their_page(browse):
    one, other = await browse(operator()), await browse(operator("Oskar"))
    form = {"purpose": "Training of a model", "permit": "HDAB-2026-18", "studies": "1.2.3.4"}
    assert (await one.post("/operator/images/copies", data=form | {"studies": "none"})).status_code == 400
    assert (await one.post("/operator/images/copies", data=form)).status_code == 303
    page = await load_page(one, "/operator/images/copies?q=HDAB-2026-18")
    [address] = page.xpath("//form[contains(@action, '/decide')]/@action")
    assert page.xpath("//button[@value='confirm']") == []
    assert (await one.post(address, data={"act": "confirm"})).status_code == 403
    assert (await other.post(address, data={"act": "confirm"})).status_code == 303
    assert "Confirmed, not made yet" in await words(other, "/operator/images/copies?q=HDAB-2026-18")


@pytest.mark.parametrize("address", ["/operator/images", "/operator/images/copies"])
async def test_pages_of_operators_are_theirs_alone(browse, world, person, address):
    for requester in (requester_of(person), world.people["doctor"]):
        assert (await (await browse(requester)).get(address)).status_code == 404


async def test_patient_and_doctor_see_doses_and_a_stranger_does_not(browse, imaging, world, person):
    patient = await browse(requester_of(person))
    assert "No doses are known" in await words(patient, "/images/dose")
    file = dose_file(person, [("1.9.7", CHEST, 100.0)])
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, [file])).status_code == 200
    shown = await words(patient, "/images/dose")
    assert "about 1.40 mSv" in shown and "100.0 mGy·cm" in shown
    page = await load_page(patient, "/images/dose")
    assert page.xpath("//*[name()='svg' and contains(@class, 'plot')]")
    doctor = await browse(world.people["doctor"])
    assert "about 1.40 mSv" in await words(doctor, f"/patients/{person.id}/images/dose")
    other = await browse(world.people["other"])
    assert (await other.get(f"/patients/{person.id}/images/dose")).status_code == 404


async def test_who_made_a_study_withholds_and_releases_it_on_its_page(browse, imaging, world, person):
    file = study_files(person, instances=1)[0]
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [file])
    address = f"/patients/{person.id}/images/{uids(file)[0]}/release"
    await world.into_circle(person, world.people["surgeon_entry"])
    surgeon = await browse(world.people["surgeon"])
    assert "The patient sees these images" in await words(surgeon, address)
    assert (await surgeon.post(address, data={"days": "x"})).status_code == 400
    assert (await surgeon.post(address, data={"days": "3"})).status_code == 303
    assert "The patient does not see these images yet" in await words(surgeon, address)
    assert (await surgeon.post(address, data={"act": "release"})).status_code == 303
    assert "The patient sees these images" in await words(surgeon, address)
    doctor = await browse(world.people["doctor"])
    assert (await doctor.get(address)).status_code == 404
