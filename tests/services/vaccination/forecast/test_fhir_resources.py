"""FHIR R4 in and out."""

import json
from datetime import date

import pytest

from esante.core.fhir.validation import check_file
from esante.services.vaccination.card.checks import contraindication_kinds
from esante.services.vaccination.forecast import Observation, SeriesStatus, advise
from esante.services.vaccination.forecast.fhir_resources import (
    DISEASES,
    OBSERVATION,
    SNOMED,
    RequestError,
    advice_bundle,
    parse_request,
)
from esante.services.vaccination.products.catalogue import catalogue

ON = date(2026, 11, 29)


def patient(**more):
    return {"resourceType": "Patient", "id": "p1", "birthDate": "2025-01-10", "gender": "female", **more}


def immunization(id="i1", day="2026-01-12", code="03", system="http://hl7.org/fhir/sid/cvx", **more):
    return {
        "resourceType": "Immunization",
        "id": id,
        "status": "completed",
        "vaccineCode": {"coding": [{"system": system, "code": code}]},
        "patient": {"reference": "Patient/p1"},
        "occurrenceDateTime": day,
        **more,
    }


def condition(code="77386006", system=SNOMED, **more):
    return {"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]}, **more}


def concept(code):
    return {"coding": [{"code": code}]}


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def test_bundle_is_read(lu):
    request = parse_request(
        bundle(
            patient(),
            immunization(expirationDate="2026-02", manufacturer={"identifier": {"value": "SKB"}}),
            condition(onsetDateTime="2026-05", abatementDateTime="2026-06"),
        ),
        lu,
    )
    (dose,) = request.doses
    assert (request.reference, request.patient.birth_date, request.patient.gender) == (
        "Patient/p1",
        date(2025, 1, 10),
        "female",
    )
    assert (dose.id, dose.given_on, dose.vaccine, dose.manufacturer) == ("i1", date(2026, 1, 12), "03", "SKB")
    assert dose.expires_on == date(2026, 2, 28)
    assert request.patient.observations == (Observation("007", date(2026, 5, 1), date(2026, 6, 30)),)


def test_diseases_are_those_of_the_catalogue():
    assert {
        one.in_rules: one.disease for one in catalogue().antigens.values() if one.in_rules
    }.items() <= DISEASES.items()


def test_contraindications_of_a_card_are_known_to_the_calendar_by_their_code(lu):
    for kind in contraindication_kinds().values():
        found = parse_request(bundle(patient(), condition(code=kind.code)), lu).patient.observations
        assert {one.code for one in found} == ({kind.observation} if kind.observation else set())


def test_parameters_say_the_day(lu):
    resource = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "assessmentDate", "valueDate": "2026-03-04"},
            {"name": "patient", "resource": patient()},
            {"name": "immunization", "resource": immunization()},
        ],
    }
    request = parse_request(resource, lu)
    assert (request.on, len(request.doses)) == (date(2026, 3, 4), 1)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"status": "not-done"}, "its status is 'not-done'"),
        ({"status": "entered-in-error"}, "its status is 'entered-in-error'"),
        ({"day": "2026-01"}, "'2026-01' and no full date"),
        ({"day": "soon"}, "no full date"),
    ],
)
def test_immunization_that_cannot_count_is_left_out_and_named(lu, more, says):
    status = more.pop("status", "completed")
    request = parse_request(bundle(patient(), immunization(**more) | {"status": status}), lu)
    assert request.doses == ()
    assert request.ignored[0].startswith("Immunization/i1: ") and says in request.ignored[0]


def test_vaccine_of_another_code_system_is_said_to_be_unknown(lu):
    request = parse_request(bundle(patient(), immunization(system="http://www.whocc.no/atc", code="J07BD52")), lu)
    (only,) = advise(request.patient, request.doses, ON, lu).not_evaluated
    assert str(only.reason) == "Vaccine unknown to the rules"


@pytest.mark.parametrize(
    ("more", "observations"),
    [
        ({"verificationStatus": concept("refuted")}, ()),
        ({"verificationStatus": concept("entered-in-error")}, ()),
        ({"verificationStatus": concept("provisional")}, (Observation("007", certain=False),)),
        (
            {"clinicalStatus": concept("resolved"), "onsetDateTime": "2026-01-02"},
            (Observation("007", date(2026, 1, 2), date(2026, 1, 2)),),
        ),
        ({"clinicalStatus": concept("active")}, (Observation("007"),)),
    ],
)
def test_status_of_a_condition_counts(lu, more, observations):
    assert parse_request(bundle(patient(), condition(**more)), lu).patient.observations == observations


def test_observation_of_the_rules_may_be_named_directly(lu):
    request = parse_request(
        bundle(patient(), condition("preterm", OBSERVATION), condition("nonsense", OBSERVATION)), lu
    )
    assert request.patient.observations == (Observation("preterm"),)


@pytest.mark.parametrize(
    "resource",
    [
        {},
        bundle(),
        bundle(patient(), patient()),
        bundle(patient(birthDate="2025")),
        bundle(patient(birthDate=None)),
        {"resourceType": "Bundle", "entry": "none"},
        {"resourceType": "Bundle", "entry": [1, None, {"resource": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "assessmentDate", "valueDate": "x"}]},
    ],
)
def test_resource_without_what_is_needed_is_refused(lu, resource):
    with pytest.raises(RequestError):
        parse_request(resource, lu)


def answered(lu, *resources):
    request = parse_request(bundle(patient(), *resources), lu)
    return advice_bundle(advise(request.patient, request.doses, ON, lu), lu, request.reference)


def test_answer_is_valid_r4(lu, tmp_path):
    answer = answered(lu, immunization(), immunization("i2", "2026-01-20", "21", isSubpotent=True), condition())
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer))
    report = check_file(str(path), ())
    assert report.valid, report.lines()


def test_evaluation_names_dose_disease_and_rule(lu):
    found = [one["resource"] for one in answered(lu, immunization(day="2026-01-02"))["entry"]]
    measles = next(one for one in found if one.get("targetDisease", {}).get("text") == "Measles")
    assert measles["immunizationEvent"] == {"reference": "Immunization/i1"}
    assert measles["doseStatus"]["coding"][0]["code"] == "notvalid"
    assert measles["doseStatusReason"][0]["text"] == "Age: Too Young"
    assert measles["description"].startswith("lu/mmr/1/age: santesecu.public.lu")


def test_recommendation_has_dates_number_and_rules(lu):
    found = answered(lu, immunization())["entry"][-1]["resource"]
    mmr = next(one for one in found["recommendation"] if one["vaccineCode"][0]["text"] == "MMR")
    dates = {one["code"]["coding"][0]["code"]: one["value"] for one in mmr["dateCriterion"]}
    assert dates == {"30981-5": "2026-02-10", "30980-7": "2026-04-10", "59778-1": "2027-01-09"}
    assert (mmr["doseNumberPositiveInt"], mmr["forecastStatus"]["coding"][0]["code"]) == (2, "due")
    assert mmr["supportingImmunization"] == [{"reference": "Immunization/i1"}]
    assert {one["coding"][0]["code"] for one in mmr["forecastReason"]} == {"lu/mmr/2", "lu/mmr/2/age"}


def test_overdue_and_dead_ends_have_their_status(lu):
    found = answered(lu)["entry"][-1]["resource"]["recommendation"]
    by_group = {one["vaccineCode"][0]["text"]: one["forecastStatus"]["coding"][0]["code"] for one in found}
    assert (by_group["MMR"], by_group["Rotavirus"]) == ("overdue", "aged-out")


def test_person_without_any_recommendation_gets_a_bundle_without_one(lu):
    request = parse_request(bundle(patient(deceasedDateTime="2026-02-01")), lu)
    advice = advise(request.patient, request.doses, ON, lu)
    assert advice.groups == ()
    assert advice_bundle(advice, lu, request.reference)["entry"] == []
    assert SeriesStatus.COMPLETE not in {one.status for one in advice.by_antigen}
