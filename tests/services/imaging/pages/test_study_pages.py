"""The pages of studies: the list, a study with its pictures, the report beside it, who opened it, who may see it."""

import io

import pytest
from PIL import Image

from esante.core.storage import uuid7
from esante.core.time_zone import day_of
from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.model import ImagesRefused, SeriesOpened, StudiesSearched
from esante.services.imaging.release.service import Releases
from esante.services.record import Deposit
from tests.support.dicom import ct_image, file_of, pydicom_file, study_files, uids
from tests.support.record_pages import load_page, main_text, state_motive
from tests.support.submissions import build_pdf

URI = "urn:ietf:rfc:3986"
REPORT = "18748-4"


def picture_of(page):
    """Return the address of the picture that a page shows."""
    (source,) = page.xpath("//img[@id='picture']/@src")
    return source


async def test_person_sees_the_list_of_their_studies_and_searches_it(browse, store, person, study):
    await store(study_files(person, instances=1, StudyDescription="Knee", Modality="MR", StudyDate="20230101"))
    patient = await browse(requester_of(person))
    page = await load_page(patient, "/images")
    titles = [" ".join(title.text_content().split()) for title in page.xpath("//p[@class='entry-title']")]
    assert titles == ["CT head", "Knee"]
    assert "2 series, 6 images" in main_text(page) and "MRI scan" in main_text(page)
    found = await load_page(patient, "/images?q=mri")
    assert "Knee" in main_text(found) and "CT head" not in main_text(found)
    assert "Nothing found" in main_text(await load_page(patient, "/images?q=xyzzy"))


async def test_person_without_images_sees_that_there_are_none(browse, person):
    page = await load_page(await browse(requester_of(person)), "/images")
    assert "There are no images in your record yet" in main_text(page)


async def test_person_reads_when_withheld_images_are_shown(browse, imaging, world, person, study):
    study_uid = uids(study[0])[0]
    releases = Releases(world.db, imaging.archive, world.record)
    release = await releases.withhold(world.people["hospital"], study_uid, 3)
    patient, day = await browse(requester_of(person)), day_of(release.withheld_until)
    for address in ("/images", f"/images/{study_uid}"):
        page = await load_page(patient, address)
        shown = main_text(page)
        assert "Your doctor would like to talk to you first" in shown
        assert f"{day.day} {day:%B} {day.year}" in shown
        assert not page.xpath("//img[@id='picture']") and "There are no images" not in shown
    await releases.release(world.people["hospital"], study_uid)
    assert picture_of(await load_page(patient, f"/images/{study_uid}"))


async def test_long_list_has_pages(browse, store, person):
    for number in range(21):
        await store(study_files(person, instances=1, StudyDescription=f"Study {number}"))
    patient = await browse(requester_of(person))
    first = await load_page(patient, "/images")
    (following,) = first.xpath("//a[@rel='next']/@href")
    second = await load_page(patient, following)
    titles = {
        title.text_content().strip() for page in (first, second) for title in page.xpath("//p[@class='entry-title']")
    }
    assert titles == {f"Study {number}" for number in range(21)}
    assert len(second.xpath("//p[@class='entry-title']")) == 1


async def test_pictures_are_gone_through_by_links_alone(browse, person, study):
    patient = await browse(requester_of(person))
    page, seen = await load_page(patient, f"/images/{uids(study[0])[0]}"), []
    for _ in range(3):
        answer = await patient.get(picture_of(page), headers={"Accept": "image/webp,image/*,*/*;q=0.8"})
        assert Image.open(io.BytesIO(answer.content)).size == (16, 16)
        seen.append(picture_of(page))
        (step,) = page.xpath("//a[@data-step='1']")
        address = step.get("href")
        page = await load_page(patient, address)
    assert [address.split("/instances/")[1].split("/")[0] for address in seen] == [
        uids(file)[2] for file in sorted(study[:3], key=lambda file: study.index(file))
    ]
    assert step.get("aria-disabled") == "true"
    assert "Review quality, not for diagnosis" in main_text(page)


async def test_window_changes_the_picture(browse, store, person):
    file = file_of(ct_image(person, RescaleIntercept=-1024, RescaleSlope=1))
    await store([file])
    patient = await browse(requester_of(person))
    url = f"/images/{uids(file)[0]}"
    pictures = []
    for query in ("", "?window=lung", "?window=bone"):
        page = await load_page(patient, url + query)
        pictures.append((await patient.get(picture_of(page))).content)
    assert len(set(pictures)) == 3


async def test_frames_of_one_instance_are_pictures_of_the_stack(browse, store, person):
    from pydicom import dcmread

    image = dcmread(pydicom_file("emri_small.dcm"))
    image.PatientName, image.PatientID = f"{person.family}^Anna", person.identifiers[0].value
    image.PatientBirthDate, image.PatientSex = "19800517", "F"
    file = file_of(image)
    await store([file])
    patient = await browse(requester_of(person))
    page = await load_page(patient, f"/images/{uids(file)[0]}?at=7")
    assert "Picture 7 of 10" in main_text(page)
    assert picture_of(page).endswith("/frames/7/rendered")
    assert (await patient.get(picture_of(page))).status_code == 200


@pytest.mark.parametrize("query", ["?at=0", "?at=x", "?at=999999999999", "?series=1.2.3", "?window=xyzzy", "?at=-1"])
async def test_address_with_nonsense_shows_a_picture(browse, person, study, query):
    page = await load_page(await browse(requester_of(person)), f"/images/{uids(study[0])[0]}{query}")
    assert "/rendered" in picture_of(page)


async def test_study_without_pictures_says_so(browse, store, person):
    image = ct_image(person, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR")
    for name in ("PixelData", "Rows", "Columns"):
        delattr(image, name)
    file = file_of(image)
    await store([file])
    page = await load_page(await browse(requester_of(person)), f"/images/{uids(file)[0]}")
    assert "This study has no pictures that can be shown here" in main_text(page)
    assert "1 object that is no picture" in main_text(page)


@pytest.mark.parametrize("of", ["study", "accession"])
async def test_report_that_names_the_study_is_beside_it(browse, world, person, study, of):
    value = f"urn:oid:{uids(study[0])[0]}" if of == "study" else "A-1"
    for title, identifiers in (("Findings", ((URI, value),)), ("Another", ((URI, uuid7().urn),))):
        meta = Deposit(type=REPORT, title=title, media_type="application/pdf", identifiers=identifiers)
        await world.record.deposit(world.people["hospital"], person.id, build_pdf(title), meta)
    for who, place in ((requester_of(person), ""), (world.people["doctor"], f"/patients/{person.id}")):
        client = await browse(who)
        page = await load_page(client, f"{place}/images/{uids(study[0])[0]}")
        assert "Findings" in main_text(page) and "Another" not in main_text(page)
        (link,) = page.xpath("//a[contains(., 'Findings')]/@href")
        assert (await client.get(link)).status_code == 200


async def test_person_reads_which_series_were_opened_by_whom(browse, world, imaging, person, study):
    doctor = await browse(world.people["doctor"])
    page = await load_page(doctor, f"/patients/{person.id}/images/{uids(study[0])[0]}")
    assert (await doctor.get(picture_of(page))).status_code == 200
    [(entry, opened)] = await world.events(person, SeriesOpened)
    assert (opened.series_uid, opened.form, entry.actor.name) == (uids(study[0])[1], "rendered", "Marc Muller")
    patient = await browse(requester_of(person))
    page = await load_page(patient, f"/images/{uids(study[0])[0]}")
    (line,) = page.xpath("//section[@aria-labelledby='openings']//li")
    assert "Marc Muller" in line.text_content() and "Axial" in line.text_content()
    log = main_text(await load_page(patient, "/log"))
    assert "Marc Muller" in log and "CT scan" in log


async def test_professional_sees_the_list_and_opens_the_viewer_from_it(browse, world, person, study):
    page = await load_page(await browse(world.people["doctor"]), f"/patients/{person.id}/images")
    assert page.xpath("//a[contains(., 'Open in viewer')]/@href") == [f"/images/{uids(study[0])[0]}/viewer"]
    assert not page.xpath("//section[@aria-labelledby='openings']")


async def test_document_of_the_record_leads_to_the_images(browse, world, person, study):
    timeline = await world.record.timeline(requester_of(person), person.id)
    (document,) = [one for one in timeline.documents if one.category == "imaging_study"]
    for who, place, folder in (
        (requester_of(person), "", "/record"),
        (world.people["doctor"], f"/patients/{person.id}", f"/patients/{person.id}/documents"),
    ):
        client = await browse(who)
        page = await load_page(client, f"{folder}/{document.id}")
        assert page.xpath("//a[contains(., 'Show the images')]/@href") == [f"{place}/images/{uids(study[0])[0]}"]


@pytest.mark.parametrize(("expected", "badge"), [(2, "Complete"), (3, "2 of 3 images received so far"), (None, None)])
async def test_badge_says_whether_the_study_is_complete_where_that_is_known(browse, store, person, expected, badge):
    said = {"NumberOfStudyRelatedInstances": expected} if expected else {}
    files = study_files(person, instances=2, **said)
    await store(files)
    patient = await browse(requester_of(person))
    for address in ("/images", f"/images/{uids(files[0])[0]}"):
        badges = [
            one.text_content().strip()
            for one in (await load_page(patient, address)).xpath("//*[contains(@class, 'badge')]")
        ]
        assert [one for one in badges if one == badge] == ([badge] if badge else [])
        assert badge or not [one for one in badges if "omplete" in one or "received" in one]


async def test_professional_without_access_gets_the_answer_for_a_study_that_does_not_exist(
    browse, world, person, study
):
    stranger = await browse(world.people["other"])
    await state_motive(stranger, person.id)
    never_stored = uids(study_files(person, instances=1)[0])[0]
    answers = [await stranger.get(f"/patients/{person.id}/images/{uid}") for uid in (uids(study[0])[0], never_stored)]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text.replace(uids(study[0])[0], "UID") == answers[1].text.replace(never_stored, "UID")
    assert (await stranger.get(f"/patients/{person.id}/images")).status_code == 404
    assert {event.allowed for _, event in await world.events(person, ImagesRefused)} == {False}
    assert [event.allowed for _, event in await world.events(person, StudiesSearched)] == [False]


async def test_hidden_study_is_not_on_the_pages_of_a_professional(browse, world, person, study):
    patient = requester_of(person)
    timeline = await world.record.timeline(patient, person.id)
    (document,) = [one for one in timeline.documents if one.category == "imaging_study"]
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    doctor = await browse(world.people["doctor"])
    page = await load_page(doctor, f"/patients/{person.id}/images")
    assert "There are no images that you can see" in main_text(page)
    assert (await doctor.get(f"/patients/{person.id}/images/{uids(study[0])[0]}")).status_code == 404


async def test_study_of_another_person_is_not_shown_under_this_one(browse, world, person, study):
    another = await world.person()
    await world.into_circle(another, world.people["doctor_entry"])
    doctor = await browse(world.people["doctor"])
    assert (await doctor.get(f"/patients/{another.id}/images/{uids(study[0])[0]}")).status_code == 404


async def test_viewing_the_list_is_journalled_with_the_studies_shown(browse, world, person, study):
    await load_page(await browse(world.people["doctor"]), f"/patients/{person.id}/images/{uids(study[0])[0]}")
    [(_, searched)] = await world.events(person, StudiesSearched)
    assert (searched.study_uid, searched.count) == (uids(study[0])[0], 1)
