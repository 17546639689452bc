"""The pages of fee notes: who may see them, billing to payment, correction, the other way, and what operators do."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from esante.core.time_zone import today
from esante.identity.access import requester_of
from esante.services.billing.mocks.bank import Behaviour
from esante.services.billing.pid.model import Objection
from tests.support.immediate_payment import OTHER_IBAN, fee_note, matricule_of, with_act
from tests.support.portal_browser import page_text

OWN, LIST, NEW, OPERATOR = "/fee-notes", "/billing", "/billing/new", "/operator/billing"
YES = {"doctor": "yes", "patient": "yes", "personal_share": "yes"}
PATIENT_PAGES = (OWN, f"{OWN}?q=xyzzy", f"{OWN}/consents", f"{OWN}/years/2026")
DOCTOR_PAGES = (LIST, NEW, "/billing/account")
OPERATOR_PAGES = (
    OPERATOR,
    *(f"{OPERATOR}/{page}" for page in ("payments", "bank-lines", "undelivered", "accounts", "contestations")),
    f"{OPERATOR}/payments?state=rejected",
    f"{OPERATOR}/accounts?state=",
    f"{OPERATOR}/contestations?state=lapsed",
)


@pytest.fixture
async def doctor(world):
    """A doctor with a confirmed account, and their provider code."""
    return await world.doctor()


@pytest.fixture
async def person(world):
    """A patient."""
    return await world.patient()


async def simulate(browser, person, code: str = "C1", status: int = 303, **fields):
    """Enter one service in the form; return the answer."""
    form = await browser.get(fields.pop("form", NEW))
    return await browser.submit(form, NEW, status, **{"matricule": matricule_of(person), "code-0": code} | fields)


async def bill(browser, person, code: str = "C1", **fields) -> str:
    """Bill one service and confirm it; return the address of the note."""
    place = (await simulate(browser, person, code, **fields)).headers["location"]
    return (await browser.submit(await browser.get(place), place, **YES)).headers["location"]


def note_of(address: str) -> str:
    return address.rpartition("/")[2]


async def test_pages_are_for_those_whom_they_are_for(world, browse, doctor, person):
    visitors = {
        PATIENT_PAGES: await browse(requester_of(person)),
        DOCTOR_PAGES: await browse(requester_of(doctor[0])),
        OPERATOR_PAGES: await browse(world.operator),
        (): await browse(requester_of(await world.practice())),
    }
    for own, browser in visitors.items():
        for pages in visitors:
            for page in pages:
                status = (await browser.http.get(page)).status_code
                assert status == (200 if pages is own else 404), (page, own, status)


async def test_note_is_absent_for_everybody_else(world, browse, doctor, person):
    address = await bill(await browse(requester_of(doctor[0])), person)
    note = note_of(address)
    other_doctor, _ = await world.doctor()
    others = [other_doctor, await world.patient(), await world.practice()]
    places = [address, f"{address}/correct", f"{OWN}/{note}", f"{OWN}/{note}.pdf"]
    for other in [*map(requester_of, others), world.operator]:
        browser = await browse(other)
        for place in places:
            assert (await browser.http.get(place)).status_code == 404, (other.kind, place)
    owner = await browse(requester_of(person))
    assert (await owner.http.get(f"{OWN}/{note}.pdf")).content.startswith(b"%PDF")
    assert (await owner.http.get(address)).status_code == 404
    assert (await owner.http.get(f"{OWN}/{uuid4()}")).status_code == 404


async def test_acts_on_notes_of_others_change_nothing(world, browse, doctor, person):
    address = await bill(await browse(requester_of(doctor[0])), person)
    other, _ = await world.doctor()
    browser = await browse(requester_of(other))
    token = (await browser.get("/billing/account")).xpath("//input[@name='_csrf']/@value")[0]
    for act in ("cancel", "send"):
        answer = await browser.http.post(f"{address}/{act}", data={"_csrf": token, "motive": "mine"})
        assert answer.status_code == 404
    simulation = (await simulate(await browse(requester_of(doctor[0])), await world.patient())).headers["location"]
    for place, form in ((simulation, YES), (f"{simulation}/contest", {"finding": str(uuid4()), "text": "no"})):
        assert (await browser.http.post(place, data={"_csrf": token} | form)).status_code == 404
    found = await world.payments.of_note(person.id, UUID(note_of(address)))
    assert found.cancelled_at is None


async def test_form_without_its_token_is_refused(browse, doctor, person):
    browser = await browse(requester_of(doctor[0]))
    answer = await browser.http.post(NEW, data={"matricule": matricule_of(person), "code-0": "C1"})
    assert answer.status_code == 403
    patient = await browse(requester_of(person))
    assert (await patient.http.post(f"{OWN}/consents/CNS_AUTO", data={"wanted": "yes"})).status_code == 403


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"code-0": ""}, 400, "at least one service"),
        ({"quantity-0": "many"}, 400, "from 1 to 99"),
        ({"on-0": "yesterday"}, 400, "not a valid day"),
        ({"issued_on": ""}, 400, "not a valid day"),
        ({"replaces": "x'; DROP TABLE"}, 400, "Open the form again"),
        ({"note_id": "42"}, 400, "Open the form again"),
        ({"matricule": "1999010112345"}, 422, "does not know this person"),
        ({"replaces": str(uuid4())}, 404, ""),
    ],
)
async def test_wrong_form_shows_problem_and_keeps_what_was_typed(browse, doctor, person, fields, status, words):
    browser = await browse(requester_of(doctor[0]))
    answer = await simulate(browser, person, status=status, **fields | {"place-0": "01"})
    assert words in answer.text
    assert "Traceback" not in answer.text
    assert f'value="{fields.get("matricule", matricule_of(person))}"' in answer.text


async def test_bill_is_paid_and_seen_on_both_sides(world, browse, doctor, person):
    browser, patient = await browse(requester_of(doctor[0])), await browse(requester_of(person))
    address = await bill(browser, person)
    assert "To be paid" in page_text(await browser.get(address))
    await world.settle_all()
    assert "Paid to you" in page_text(await browser.get(address))
    seen = page_text(await patient.get(f"{OWN}/{note_of(address)}"))
    assert "Paid by the health insurance to the professional" in seen
    payment = await world.payments.of_note(person.id, UUID(note_of(address)))
    assert f"€{payment.statutory}" in seen
    year = page_text(await patient.get(f"{OWN}/years/{today().year}"))
    assert f"€{payment.statutory}" in year and "€1,000.00" in year
    await world.assert_balanced()


async def test_list_of_a_doctor_is_narrowed_by_the_days_on_which_notes_came(browse, doctor, person):
    browser = await browse(requester_of(doctor[0]))
    address = await bill(browser, person)
    day, before = today().isoformat(), (today() - timedelta(days=1)).isoformat()
    for query, shown in ((f"since={day}", True), (f"until={before}", False), ("since=xyzzy", True)):
        page = await browser.get(f"{LIST}?{query}")
        assert (address in {link.get("href") for link in page.iter("a")}) == shown, query
    assert "Nothing found" in page_text(await browser.get(f"{LIST}?until={before}"))


async def test_confirmation_that_is_missing_pays_nothing(world, browse, doctor, person):
    browser = await browse(requester_of(doctor[0]))
    place = (await simulate(browser, person)).headers["location"]
    answer = await browser.submit(await browser.get(place), place, 422, doctor="yes", patient="yes")
    assert "must be confirmed" in answer.text
    first = await browser.submit(await browser.get(place), place, **YES)
    second = await browser.http.get(place)
    assert second.headers["location"] == first.headers["location"]


async def test_correction_nets_out_on_both_sides(world, browse, doctor, person):
    browser, patient = await browse(requester_of(doctor[0])), await browse(requester_of(person))
    address = await bill(browser, person)
    await world.settle_all()
    form = await browser.get(f"{address}/correct")
    place = (await browser.submit(form, NEW, **{"code-0": "V1"})).headers["location"]
    assert place.startswith("/billing/simulations/")
    corrected = (await browser.submit(await browser.get(place), place, **YES)).headers["location"]
    await world.settle_all()
    payment = await world.payments.of_note(person.id, UUID(note_of(corrected)))
    assert payment.recovered > 0
    assert f"Deducted from corrections€{payment.recovered}" in page_text(await browser.get(corrected))
    assert "Replaced by another fee note" in page_text(await browser.get(address))
    assert "Replaced by another fee note" in page_text(await patient.get(f"{OWN}/{note_of(address)}"))
    await world.assert_balanced()


async def test_cancelled_note_is_owed_back(world, browse, doctor, person):
    browser = await browse(requester_of(doctor[0]))
    address = await bill(browser, person)
    await world.settle_all()
    page = await browser.get(address)
    assert "cannot" not in page_text(page)
    await browser.submit(page, f"{address}/cancel", motive="twice")
    assert "Cancelled" in page_text(await browser.get(address))
    assert "You owe €" in page_text(await browser.get(LIST))
    again = await browser.http.post(
        f"{address}/cancel", data={"_csrf": page.xpath("//input[@name='_csrf']/@value")[0], "motive": "again"}
    )
    assert again.status_code == 409 and "cancelled already" in again.text


async def test_silent_insurance_offers_the_other_way_with_the_same_id(world, browse, doctor, person):
    browser, patient = await browse(requester_of(doctor[0])), await browse(requester_of(person))
    world.insurance.silent = True
    try:
        answer = await simulate(browser, person, status=503)
        assert "accelerated reimbursement" in answer.text
        fields = dict(
            re.findall(r'name="(note_id|_csrf|matricule|issued_on|provider_code)" value="([^"]*)"', answer.text)
        )
        fields |= {"matricule": matricule_of(person), "issued_on": today().isoformat(), "code-0": "C1", "way": "ra"}
        sent = await browser.http.post(NEW, data=fields)
        assert sent.status_code == 303, sent.text
        assert note_of(sent.headers["location"]) == fields["note_id"]
        page = await patient.get(f"{OWN}/{fields['note_id']}")
        assert "Not sent to the health insurance" in page_text(page)
        await patient.submit(page, f"{OWN}/{fields['note_id']}/send")
        assert "Reimbursement requested" in page_text(await patient.get(f"{OWN}/{fields['note_id']}"))
    finally:
        world.insurance.silent = False


async def test_preview_keeps_nothing_and_tells_what_is_wrong(world, browse, doctor, person):
    browser = await browse(requester_of(doctor[0]))
    token = (await browser.get(NEW)).xpath("//input[@name='_csrf']/@value")[0]
    form = {"_csrf": token, "provider_code": doctor[1], "matricule": matricule_of(person), "note_id": str(uuid4())}
    form |= {"issued_on": today().isoformat()}
    shown = await browser.http.post("/billing/preview", data=form | {"code-0": "C1"})
    assert shown.status_code == 200 and "The patient pays" in shown.text
    refused = await browser.http.post("/billing/preview", data=form | {"code-0": "XXXX"})
    assert "not in the nomenclature" in refused.text
    empty = await browser.http.post("/billing/preview", data=form)
    assert "at least one service" in empty.text
    _, code = await world.doctor()
    foreign = await browser.http.post("/billing/preview", data=form | {"provider_code": code, "code-0": "C1"})
    assert "The patient pays" not in foreign.text
    assert "No fee notes yet" in page_text(await browser.get(LIST))


async def test_consent_is_given_and_ended(browse, person):
    patient = await browse(requester_of(person))
    place = f"{OWN}/consents"
    for wanted in ("yes", "no", "yes"):
        answer = await patient.submit(await patient.get(place), f"{place}/CNS_AUTO")
        assert answer.headers["location"] == f"{place}?saved={wanted}"
    await patient.submit(await patient.get(place), f"{place}/MH")
    token = (await patient.get(place)).xpath("//input[@name='_csrf']/@value")[0]
    unknown = await patient.http.post(f"{place}/OTHER", data={"_csrf": token, "wanted": "yes"})
    assert unknown.status_code == 404


async def test_account_is_named_and_confirmed_by_operator(world, browse, person):
    doctor, code = await world.doctor(iban="")
    browser, operator = await browse(requester_of(doctor)), await browse(world.operator)
    page = await browser.get("/billing/account")
    assert "IBAN" in page_text(page)
    wrong = await browser.submit(page, "/billing/account", 400, iban="LU00 1234", name="Marc Muller")
    assert 'aria-invalid="true"' in wrong.text
    await browser.submit(page, "/billing/account", iban=OTHER_IBAN, name="Marc Muller")
    assert "confirmed account" in (await simulate(browser, person, status=409)).text
    accounts = await operator.get(f"{OPERATOR}/accounts")
    text = page_text(accounts)
    assert code in text and OTHER_IBAN not in accounts.text_content() and OTHER_IBAN[-4:] in text
    action = confirm_action(accounts, code)
    await operator.submit(accounts, action)
    assert code not in page_text(await operator.get(f"{OPERATOR}/accounts"))
    await operator.submit(accounts, action)
    refused = await operator.submit(accounts, action.replace("/confirm", "/refuse"), 409)
    assert "Accounts" in refused.text
    assert (await simulate(browser, person)).headers["location"].startswith("/billing/simulations/")


def confirm_action(page, code: str) -> str:
    (entry,) = [one for one in page.xpath("//li[contains(@class, 'entry')]") if code in one.text_content()]
    return entry.xpath(".//form[contains(@action, '/confirm')]/@action")[0]


async def test_contestation_is_answered_by_operator(world, browse, doctor, person):
    browser, operator = await browse(requester_of(doctor[0])), await browse(world.operator)
    simulation = await world.pid.simulate(requester_of(doctor[0]), with_act(fee_note(person, doctor[1]), "XXXX"))
    place = f"/billing/simulations/{simulation.id}"
    await browser.submit(await browser.get(place), f"{place}/contest", text="It is in the list")
    assert "Contested" in page_text(await browser.get(place))
    page = await operator.get(f"{OPERATOR}/contestations")
    assert "It is in the list" in page_text(page)
    assert person.family not in page_text(page)
    action = next(form.action for form in page.forms if (form.action or "").endswith("/answer"))
    assert "Choose a decision" in (await operator.submit(page, action, 400, text="No")).text
    await operator.submit(page, action, accepted="no", text="The code ended in 2019")
    assert "The code ended in 2019" in page_text(await operator.get(f"{OPERATOR}/contestations?state=refused"))
    assert (await operator.submit(page, action, 409, accepted="yes", text="Yes")).status_code == 409


async def test_refused_payment_is_asked_again_by_operator(world, browse, person):
    doctor, _ = await world.doctor()
    browser, operator = await browse(requester_of(doctor)), await browse(world.operator)
    world.bank.behaviour = Behaviour(reject="AC04")
    try:
        address = await bill(browser, person)
        await world.settle_all()
    finally:
        world.bank.behaviour = Behaviour()
    assert "Refused by the bank" in page_text(await browser.get(address))
    page = await operator.get(f"{OPERATOR}/payments?state=rejected")
    assert note_of(address) in page_text(page)
    action = next(form.action for form in page.forms if (form.action or "").endswith("/retry"))
    await operator.submit(page, action)
    await world.settle_all()
    assert "Paid to you" in page_text(await browser.get(address))
    assert "Only a payment that the bank refused" in (await operator.submit(page, action, 409)).text
    await world.assert_balanced()


async def test_lists_of_operators_are_searched(world, browse, person):
    """Each list, narrowed to one professional, shows what is theirs and nothing else."""
    (doctor, code), (other, other_code) = await world.doctor(), await world.doctor()
    world.bank.behaviour = Behaviour(reject="AC04")
    try:
        addresses = [await bill(await browse(requester_of(one)), person) for one in (doctor, other)]
        await world.settle_all()
    finally:
        world.bank.behaviour = Behaviour()
    for one, its_code in ((doctor, code), (other, other_code)):
        simulation = await world.pid.simulate(requester_of(one), with_act(fee_note(person, its_code), "XXXX"))
        finding = simulation.adjudication.lines[0].findings[0]
        objection = Objection(finding_id=finding.id, code="1", text=f"Text of {its_code}")
        await world.pid.contest(requester_of(one), simulation.id, [objection])
    operator = await browse(world.operator)
    for place in ("payments?state=", "accounts?state=", "contestations?"):
        text = page_text(await operator.get(f"{OPERATOR}/{place}&q={code}"))
        assert code in text and other_code not in text, place
        assert "Nothing found" in page_text(await operator.get(f"{OPERATOR}/{place}&q=xyzzy")), place
    note = note_of(addresses[0])
    assert note in page_text(await operator.get(f"{OPERATOR}/payments?q={note.upper()}"))
    for place in ("bank-lines", "undelivered"):
        assert "Nothing found" in page_text(await operator.get(f"{OPERATOR}/{place}?q=xyzzy")), place


async def test_year_without_statement_is_absent(browse, person):
    patient = await browse(requester_of(person))
    for year in (today().year + 1, 1999):
        await patient.get(f"{OWN}/years/{year}", 404)
    await patient.get(f"{OWN}/years/{(today() - timedelta(days=400)).year}")
