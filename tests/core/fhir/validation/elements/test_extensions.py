"""Where extensions stand, and what they contain: checks that only $validate makes."""

import pytest

from esante.core.fhir import check
from esante.core.fhir.definitions import errata, extension_uses
from tests.core.fhir.samples import changed, document, dumped, observation, patient
from tests.core.fhir.validation.passes import full_issues

STRUCTURE = "http://hl7.org/fhir/StructureDefinition"
MOTHERS_FAMILY = {"url": f"{STRUCTURE}/humanname-mothers-family", "valueString": "Weber"}
BIRTH_PLACE = {"url": f"{STRUCTURE}/patient-birthPlace", "valueAddress": {"city": "Esch"}}
GERMAN = [{"url": "lang", "valueCode": "de"}, {"url": "content", "valueString": "Kalium"}]
TRANSLATION = {"url": f"{STRUCTURE}/translation", "extension": GERMAN}
ABSENT = {"url": f"{STRUCTURE}/data-absent-reason", "valueCode": "unknown"}
OWN = {"url": "http://x.test/anything", "valueString": "x"}
UNITS = {"url": f"{STRUCTURE}/questionnaire-unitValueSet", "valueCanonical": "http://x.test/units"}
NOT_DONE = {"url": f"{STRUCTURE}/request-doNotPerform", "valueBoolean": True}
LUXEMBOURG = {"url": "code", "valueCodeableConcept": {"text": "Luxembourg"}}


def nationality(*parts):
    return patient() | {"extension": [{"url": f"{STRUCTURE}/patient-nationality", "extension": list(parts)}]}


def questionnaire(type_):
    item = {"linkId": "1", "text": "x", "type": type_, "extension": [UNITS]}
    return {"resourceType": "Questionnaire", "status": "draft", "item": [item]}


def order(**elements):
    order = {"resourceType": "NutritionOrder", "status": "active", "intent": "order", "patient": {"display": "x"}}
    return order | {"dateTime": "2026-01-01", "oralDiet": {"instruction": "x"}} | elements


RIGHT = {
    "on the primitive that it names": patient() | {"name": [{"family": "x", "_family": {"extension": [MOTHERS_FAMILY]}}]},
    "on the resource that it names": patient() | {"extension": [BIRTH_PLACE]},
    "on a primitive of the type that it names": changed(observation(), "code", {"text": "x", "_text": {"extension": [TRANSLATION]}}),
    "on any element": patient() | {"_birthDate": {"extension": [ABSENT]}, "name": [{"extension": [ABSENT]}]},
    "of others": patient() | {"name": [{"text": "x", "extension": [OWN]}]},
    "of others that may change the meaning": patient() | {"modifierExtension": [OWN]},
    "where its condition holds": questionnaire("quantity"),
    "with its parts": nationality(LUXEMBOURG),
    "with a part of others": nationality(LUXEMBOURG, OWN),
    "as a modifier": order(modifierExtension=[NOT_DONE]),
}  # fmt: skip


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT.keys())
def test_extension_where_it_may_stand_is_accepted(resource):
    if "birthDate" in resource and "_birthDate" in resource:
        resource = {name: value for name, value in resource.items() if name != "birthDate"}
    assert full_issues(resource) == []


WRONG = {
    "Patient.name[0].extension[0]": patient() | {"name": [{"family": "x", "extension": [MOTHERS_FAMILY]}]},
    "Patient.birthDate.extension[0]": patient() | {"_birthDate": {"extension": [TRANSLATION]}},
    "Observation.extension[1]": observation() | {"extension": [OWN, BIRTH_PLACE]},
    "Bundle.entry[2].resource.extension[0]": document(
        observation() | {"extension": [BIRTH_PLACE]}, sections=({"title": "x", "entry": [{"reference": "urn:uuid:00000000-0000-4000-8000-000000000003"}]},)),
    "Observation.contained[0].extension[0]": changed(observation(), "subject", {"reference": "#x"})
    | {"contained": [{"resourceType": "Group", "id": "x", "type": "person", "actual": True, "extension": [BIRTH_PLACE]}]},
    "Questionnaire.item[0].extension[0]": questionnaire("string"),
    "NutritionOrder.extension[0]": order(extension=[NOT_DONE]),
    "Patient.modifierExtension[0]": patient() | {"modifierExtension": [BIRTH_PLACE]},
    "Patient.extension[0].value.ofType(string)": patient() | {"extension": [{"url": BIRTH_PLACE["url"], "valueString": "Esch"}]},
    "Patient.extension[0].value.ofType(code)": patient() | {"extension": [ABSENT | {"valueCode": "forgotten"}]},
    "Patient.extension[0].url": patient() | {"extension": [{"url": "birthPlace", "valueString": "Esch"}]},
    "Patient.extension[0].extension[0].url": nationality({"url": "country", "valueString": "x"}),
    "Patient.extension[0].extension[1]": nationality(LUXEMBOURG, LUXEMBOURG),
    "Observation.code.text.extension[0].extension": changed(
        observation(), "code", {"text": "x", "_text": {"extension": [TRANSLATION | {"extension": GERMAN[:1]}]}}),
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_extension_against_its_definition_is_rejected_only_with_the_constraints(place):
    assert full_issues(WRONG[place]) == [place]
    assert check(dumped(WRONG[place])).ok


def test_address_with_a_version_is_rejected():
    versioned = BIRTH_PLACE | {"url": f"{BIRTH_PLACE['url']}|4.0.1"}
    assert full_issues(patient() | {"extension": [versioned]}) == ["Patient.extension[0].url"]


def test_errata_only_add_contexts_that_the_definitions_lack():
    known = extension_uses()
    for erratum in errata.EXTENSIONS:
        assert set(erratum.contexts) <= set(known[erratum.url].contexts) or not known[erratum.url].contexts


def test_extension_without_an_address_is_reported_once():
    assert full_issues(patient() | {"extension": [{"valueString": "x"}]}) == ["Patient.extension[0].url"]
