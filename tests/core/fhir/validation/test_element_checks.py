"""Where extensions stand, and markup in texts: checks that only $validate makes."""

import pytest

from esante.core.fhir import check
from esante.core.fhir.definitions import errata, extension_contexts
from tests.core.fhir.samples import changed, document, dumped, narrative, observation, patient

STRUCTURE = "http://hl7.org/fhir/StructureDefinition"
MOTHERS_FAMILY = {"url": f"{STRUCTURE}/humanname-mothers-family", "valueString": "Weber"}
BIRTH_PLACE = {"url": f"{STRUCTURE}/patient-birthPlace", "valueAddress": {"city": "Esch"}}
TRANSLATION = {"url": f"{STRUCTURE}/translation", "extension": [{"url": "lang", "valueCode": "de"}]}
ABSENT = {"url": f"{STRUCTURE}/data-absent-reason", "valueCode": "unknown"}
OWN = {"url": "http://x.test/anything", "valueString": "x"}


def reported(resource, severity="error"):
    issues = check(dumped(resource), invariants=True).issues
    return [issue.expression for issue in issues if issue.severity == severity and "(dom-6)" not in issue.diagnostics]


RIGHT = {
    "on the primitive that it names": patient() | {"name": [{"family": "x", "_family": {"extension": [MOTHERS_FAMILY]}}]},
    "on the resource that it names": patient() | {"extension": [BIRTH_PLACE]},
    "on a primitive of the type that it names": changed(observation(), "code", {"text": "x", "_text": {"extension": [TRANSLATION]}}),
    "on any element": patient() | {"_birthDate": {"extension": [ABSENT]}, "name": [{"extension": [ABSENT]}]},
    "of others": patient() | {"name": [{"text": "x", "extension": [OWN]}]},
}  # fmt: skip


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT.keys())
def test_extension_where_it_may_stand_is_accepted(resource):
    if "birthDate" in resource and "_birthDate" in resource:
        resource = {name: value for name, value in resource.items() if name != "birthDate"}
    assert reported(resource) == []


WRONG = {
    "Patient.name[0].extension[0]": patient() | {"name": [{"family": "x", "extension": [MOTHERS_FAMILY]}]},
    "Patient.birthDate.extension[0]": patient() | {"_birthDate": {"extension": [TRANSLATION]}},
    "Observation.extension[1]": observation() | {"extension": [OWN, BIRTH_PLACE]},
    "Bundle.entry[2].resource.extension[0]": document(observation() | {"extension": [BIRTH_PLACE]}),
    "Observation.contained[0].extension[0]": changed(observation(), "subject", {"reference": "#x"})
    | {"contained": [{"resourceType": "Group", "id": "x", "type": "person", "actual": True, "extension": [BIRTH_PLACE]}]},
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_extension_elsewhere_is_rejected_only_with_the_constraints(place):
    assert reported(WRONG[place]) == [place]
    assert check(dumped(WRONG[place])).ok


def test_errata_only_add_contexts_that_the_definitions_lack():
    known = extension_contexts()
    for erratum in errata.EXTENSIONS:
        assert erratum.url not in known or set(erratum.contexts) <= set(known[erratum.url])


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a <b>c</b>", "x <img src=y onerror=z>", "<!-- x -->"])
def test_markup_in_a_text_is_a_warning(text):
    resource = patient() | {"name": [{"text": text}]}
    assert reported(resource, "warning") == ["Patient.name[0].text"]
    assert reported(resource) == []
    assert check(dumped(resource)).issues == ()


def test_several_texts_with_markup_are_one_warning():
    resource = patient() | {"name": [{"given": ["x", "<b>y</b>"]}, {"text": "<i>z</i>"}]}
    (issue,) = [each for each in check(dumped(resource), invariants=True).issues if each.code == "value"]
    assert issue.expression == "Patient.name[0].given[1]"
    assert issue.diagnostics.endswith("Also at 1 other place.")


@pytest.mark.parametrize("text", ["< 5 mg", "a<5 and c>d", "x <y@z.test>", "1<2"])
def test_text_with_less_than_and_narrative_are_no_markup(text):
    assert reported(patient() | {"name": [{"text": text}], "text": narrative("<p>x</p>")}, "warning") == []


def test_extension_without_an_address_is_reported_once():
    assert reported(patient() | {"extension": [{"valueString": "x"}]}) == ["Patient.extension[0].url"]
