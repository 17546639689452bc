"""The vaccinations that the worker reads in a CDA document: what is coded, bounded, and nothing of hostile input."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.record.rendering.worker import cda
from esante.services.record.rendering.worker.immunizations import MAX_CODES, MAX_DOSES, MAX_TEXT, immunizations

SNOMED = "2.16.840.1.113883.6.96"
CODE = f'<code code="34689006" codeSystem="{SNOMED}" displayName="Hepatitis B virus vaccine"/>'


def dose(
    code=CODE, *, attributes='moodCode="EVN"', before="", time='<effectiveTime value="20190202"/>', after="", name=""
):
    return (
        f"<entry><substanceAdministration {attributes}>{before}{time}<consumable><manufacturedProduct>"
        f"<manufacturedMaterial>{code}{name}</manufacturedMaterial></manufacturedProduct></consumable>{after}"
        "</substanceAdministration></entry>"
    )


def document(entries, code="11369-6", system="2.16.840.1.113883.6.1"):
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section>'
        f'<code code="{code}" codeSystem="{system}"/>{entries}</section></component></structuredBody></component>'
        "</ClinicalDocument>"
    ).encode()


def read(entries, **changes):
    return immunizations(document(entries, **changes), cda.parse)


def test_dose_is_read_with_everything_that_is_said_of_it():
    number = (
        '<entryRelationship><observation><code code="30973-2"/><value value="2"/></observation></entryRelationship>'
    )
    performer = (
        "<performer><assignedEntity><assignedPerson><name><given>Ana</given> <family>Lopes</family></name>"
        "</assignedPerson><representedOrganization><name>CS Lisboa</name></representedOrganization></assignedEntity>"
        "</performer>"
    )
    material = "<name>Engerix B</name><lotNumberText>AB 1</lotNumberText>"
    (found,) = read(dose(before='<id root="2.999" extension="7"/>', name=material, after=performer + number))
    assert found == {
        "identifiers": [("2.999", "7")],
        "negated": False,
        "codes": [(SNOMED, "34689006")],
        "name": "Engerix B",
        "date": "2019-02-02",
        "lot": "AB 1",
        "manufacturer": "",
        "number": 2,
        "performer": "Ana Lopes",
        "place": "CS Lisboa",
    }


@pytest.mark.parametrize(
    ("time", "date"),
    [
        ('<effectiveTime value="2019"/>', "2019"),
        ('<effectiveTime value="201902"/>', "2019-02"),
        ('<effectiveTime value="20190202101500+0100"/>', "2019-02-02"),
        ('<effectiveTime><low value="20190202"/><high value="20190203"/></effectiveTime>', "2019-02-02"),
        ('<effectiveTime nullFlavor="UNK"/>', ""),
        ('<effectiveTime value="soon"/>', ""),
        ("", ""),
    ],
)
def test_time_is_read_in_its_precision(time, date):
    assert [one["date"] for one in read(dose(time=time))] == [date]


@pytest.mark.parametrize(
    "entry",
    [
        dose(attributes='moodCode="INT"'),
        dose(attributes='moodCode="EVN" nullFlavor="NI"'),
        dose(before='<statusCode code="aborted"/>'),
        dose('<code code="no-known-immunizations" codeSystem="2.16.840.1.113883.5.1150.1"/>'),
        dose('<code nullFlavor="UNK"/>'),
        dose(""),
        '<entry><substanceAdministration moodCode="EVN"/></entry>',
        "<entry><observation/></entry>",
    ],
)
def test_what_is_no_dose_is_left_out(entry):
    assert read(entry) == []


def test_other_sections_and_statements_that_nothing_was_given_are_told_apart():
    assert read(dose(), code="10160-0") == [] and read(dose(), system="1.2.3") == []
    (found,) = read(dose(attributes='moodCode="EVN" negationInd="true"'))
    assert found["negated"]


def test_number_of_doses_codes_and_characters_is_bounded():
    assert len(read(dose() * (MAX_DOSES + 5))) == MAX_DOSES
    translations = f'<translation code="1" codeSystem="{SNOMED}"/>' * 50
    many = f'<code code="2" codeSystem="{SNOMED}">{translations}</code>'
    (found,) = read(dose(many, name=f"<name>{'x' * 9_000}</name>"))
    assert (len(found["codes"]), len(found["name"])) == (MAX_CODES, MAX_TEXT)


def test_entities_are_not_resolved():
    text = document(dose(name="<name>&file;</name>")).decode()
    hostile = f'<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>{text}'.encode()
    assert "root:" not in str(immunizations(hostile, cda.parse))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='<&"\ufffe\uffff'), max_size=40))
def test_any_attribute_gives_bounded_text_or_nothing(text):
    code = f'<code code="{text}" codeSystem="{text}" displayName="{text}"/>'
    time = f'<effectiveTime value="{text}"/>'
    for found in read(dose(code, time=time, before=f'<id root="{text}" extension="{text}"/>')):
        assert found["name"] and all(" " not in value for _, value in found["codes"])


@given(st.binary(max_size=300))
def test_bytes_that_are_no_document_are_unreadable(data):
    with contextlib.suppress(cda.Unreadable):
        assert immunizations(data, cda.parse) == []


def test_real_patient_summaries_give_their_doses(shared_data):
    folder = shared_data / "ehdsi-cda" / "patient-summary"
    counts = {path.name[:12]: len(immunizations(path.read_bytes(), cda.parse)) for path in folder.glob("*.xml")}
    assert counts == {
        "L3_PS_Refere": 4,
        "PT_CDA_W3_81": 17,
        "PT_CDA_W3_89": 8,
        "RTD_W2_known": 0,
        "RTD_W3_no_in": 0,
        "RTD_W4_known": 0,
    }
