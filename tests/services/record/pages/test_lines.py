"""The pages on which a patient restricts lines of a document, without JavaScript."""

from esante.identity.access import requester_of
from esante.services.record import Deposit
from tests.support.record import letter
from tests.support.record_pages import deposit_document, load_page, main_text, send_form
from tests.support.summaries import SECRET, build_summary, summary_bytes, token_of

TOKEN = token_of(build_summary(), "bipolar")


async def deposited(world):
    """Return a person with a summary of which lines can be hidden, and the address of the document."""
    person, document = await deposit_document(world, summary_bytes(), Deposit(confirmation=""))
    await world.into_circle(person, world.people["other_entry"])
    return person, document, f"/record/{document.id}"


async def test_patient_hides_a_line_after_reading_what_it_means_and_shows_it_again(world, browse):
    person, document, url = await deposited(world)
    patient, doctor = await browse(requester_of(person)), await browse(world.people["other"])
    shown_to_doctor = f"/patients/{person.id}/documents/{document.id}"
    assert SECRET in main_text(await load_page(doctor, shown_to_doctor))

    choose = await load_page(patient, f"{url}/lines")
    assert "Asthma" in main_text(choose) and SECRET in main_text(choose)
    warned = await send_form(patient, choose, f"{url}/lines", 200, line=TOKEN, level="hidden")
    assert "Nobody who treats you will know" in warned.text and SECRET in warned.text
    assert SECRET in main_text(await load_page(doctor, shown_to_doctor))  # nothing counts yet

    form = {"lines": TOKEN, "level": "hidden", "step": "save"}
    unread = await send_form(patient, choose, f"{url}/lines", 422, **form)
    assert "Confirm first" in unread.text
    saved = await send_form(patient, choose, f"{url}/lines", **form, risk="yes")
    assert "without the parts that you chose" in main_text(await load_page(patient, saved.headers["location"]))
    assert SECRET not in main_text(await load_page(doctor, shown_to_doctor))
    own = main_text(await load_page(patient, url))
    assert SECRET in own and "Parts hidden" in own

    listed = await load_page(patient, "/record/lines")
    assert SECRET in main_text(listed)
    await send_form(patient, listed, f"{url}/lines")
    assert "You have not hidden any parts" in main_text(await load_page(patient, "/record/lines"))
    assert SECRET in main_text(await load_page(doctor, shown_to_doctor))


async def test_hidden_parts_are_told_to_no_professional(world, browse):
    person, document, url = await deposited(world)
    await world.record.restrictions.restrict(requester_of(person), person.id, document.id, [TOKEN])
    for name in ("doctor", "other"):
        client = await browse(world.people[name])
        for path in (f"/patients/{person.id}", f"/patients/{person.id}/documents/{document.id}"):
            response = await client.get(path, follow_redirects=True)
            assert "Parts hidden" not in response.text
            assert "Hide parts" not in response.text
        assert (await client.get(f"{url}/lines")).status_code in (303, 403, 404)


async def test_document_that_cannot_be_divided_has_no_such_page(world, browse):
    person, document = await deposit_document(world, *letter())
    client = await browse(requester_of(person))
    assert (await client.get(f"/record/{document.id}/lines")).status_code == 404
    assert "Hide parts" not in main_text(await load_page(client, f"/record/{document.id}"))


async def test_other_documents_and_texts_with_the_line_are_named_before_it_is_hidden(world, browse):
    person, document = await deposit_document(
        world, summary_bytes(extra=f"Bei {SECRET} melden."), Deposit(confirmation="")
    )
    second = summary_bytes(edition="2")
    await world.record.deposit(world.people["doctor"], person.id, second, Deposit(title="Zweite", confirmation=""))
    client, url = await browse(requester_of(person)), f"/record/{document.id}/lines"
    warned = await send_form(client, await load_page(client, url), url, 200, line=TOKEN, level="hidden")
    assert "Planung" in warned.text
    assert "Zweite" in warned.text


async def test_unknown_lines_in_the_form_count_as_none(world, browse):
    person, _, url = await deposited(world)
    client = await browse(requester_of(person))
    page = await load_page(client, f"{url}/lines")
    kept = await send_form(
        client, page, f"{url}/lines", lines="entry/0 entry/999 section/x ../..", step="save", risk="yes"
    )
    assert kept.headers["location"] == f"{url}?saved=whole"
