"""A doctor abroad and a patient of ours: original documents over SOAP and over FHIR, codes that stay untranslated."""

import pytest

from esante.core.storage import NIL
from esante.services.exchange.audit import MessageExchanged
from esante.services.exchange.country_b.model import ORIGINALS, SUMMARY, Outcome
from esante.services.exchange.country_b.readable import read_document
from esante.services.exchange.terminology import sample_catalogue
from tests.support.country_a import COUNTRY
from tests.support.exchange_abroad import deposit, number_of, patient, summary
from tests.support.two_countries import two_countries

LAB = "11502-2"


@pytest.mark.parametrize("is_fhir", [True, False])
async def test_laboratory_report_is_read_abroad(world, tmp_path, is_fhir: bool) -> None:
    person = await patient(world, consents=COUNTRY)
    document_id = await deposit(world, person, LAB)
    async with two_countries(world, tmp_path, is_fhir=is_fhir) as both:
        encounter = await both.list(await both.treat(number_of(person)), LAB)
        [one] = encounter.lists[LAB].documents
        assert one.is_fhir is is_fhir
        encounter = await both.retrieve(encounter, one.unique_id)
        assert encounter.retrieved[one.unique_id].outcome is Outcome.RETRIEVED
        data = await both.encounters.document(both.doctor, encounter.id, one.unique_id)
    shown = read_document(data, "fr", sample_catalogue())
    assert bool(shown.sections) is is_fhir and bool(shown.pdf) is not is_fhir
    if is_fhir:
        _, deposited = await world.record.content(world.people["doctor"], person.id, document_id)
        assert data == deposited, "the original is kept as it came"


async def test_both_sides_state_the_same_about_a_request_over_fhir(world, tmp_path) -> None:
    person = await patient(world, consents=COUNTRY)
    await deposit(world, person, LAB)
    await world.db.fetch("DELETE FROM exchange_message")
    async with two_countries(world, tmp_path, is_fhir=True) as both:
        await both.list(await both.treat(number_of(person)), LAB)
    rows = await world.db.fetch("SELECT * FROM exchange_message WHERE transaction = 'ITI-38'")
    assert {row["side"] for row in rows} == {"A", "B"}
    for name in ("message_id", "request_hash", "answer_hash"):
        assert len({row[name] for row in rows}) == 1, name


async def test_country_without_that_class_is_not_asked(world, tmp_path) -> None:
    person = await patient(world, consents=COUNTRY)
    async with two_countries(world, tmp_path, is_fhir=True) as both:
        encounter = await both.treat(number_of(person))
        for code in ORIGINALS:
            found = await both.list(encounter, code)
            assert found.lists[code].outcome is Outcome.EMPTY
            encounter = found


async def test_patient_who_withdraws_is_no_longer_listed(world, tmp_path) -> None:
    from esante.identity.access import requester_of
    from esante.services.exchange.consent import CountryConsents

    person = await patient(world, consents=COUNTRY)
    await deposit(world, person, LAB)
    async with two_countries(world, tmp_path, is_fhir=True) as both:
        encounter = await both.treat(number_of(person))
        await CountryConsents(world.access).withdraw(requester_of(person), COUNTRY)
        encounter = await both.list(encounter, LAB)
    assert encounter.lists[LAB].outcome is Outcome.EMPTY


async def test_codes_without_a_translation_are_counted_on_both_sides(world, tmp_path) -> None:
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    await world.db.fetch("DELETE FROM exchange_loss")
    async with two_countries(world, tmp_path, is_fhir=False) as both:
        encounter = await both.list(await both.treat(number_of(person)), SUMMARY)
        coded = next(one for one in encounter.lists[SUMMARY].documents if not one.is_pdf)
        await both.retrieve(encounter, coded.unique_id)
    rows = await world.db.fetch("SELECT side, language, country FROM exchange_loss")
    assert {(row["side"], row["country"]) for row in rows} == {("A", "PT"), ("B", "LU")}


async def test_message_of_either_side_is_recorded_for_the_patient_on_ours_only(world, tmp_path) -> None:
    person = await patient(world, consents=COUNTRY)
    async with two_countries(world, tmp_path, is_fhir=True) as both:
        await both.treat(number_of(person))
    ours = await world.journal.entries_of(person.id, [MessageExchanged], limit=5)
    theirs = await world.journal.entries_of(NIL, [MessageExchanged], limit=1)
    assert [one.event.side for one in (*ours, *theirs)] == ["A", "B"]
    assert ours[0].event.request_hash == theirs[0].event.request_hash


async def test_country_that_lost_its_keys_asks_nobody_and_says_so(world, tmp_path) -> None:
    person = await patient(world, consents=COUNTRY)
    async with two_countries(world, tmp_path, is_fhir=True) as both:
        encounter = await both.treat(number_of(person))
        for file in (tmp_path / COUNTRY).iterdir():
            file.unlink()
        both.forget_keys()
        encounter = await both.list(encounter, LAB)
    found = encounter.lists[LAB]
    assert found.outcome is Outcome.FAILED and "seal.crt is missing" in found.text
