"""FHIR R4 in and out: Patient, Immunization and Condition of a Bundle or Parameters become what an advice needs;
an advice becomes ImmunizationEvaluation and ImmunizationRecommendation.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import NAMESPACE_URL, uuid5

from esante.core.types import Json
from esante.services.vaccination.forecast.model import (
    Advice,
    AntigenAdvice,
    Dose,
    DoseEvaluation,
    EvaluationStatus,
    GroupAdvice,
    Observation,
    Patient,
    Reason,
    SeriesStatus,
)
from esante.services.vaccination.forecast.rules import RuleSet

CVX = "http://hl7.org/fhir/sid/cvx"
SNOMED = "http://snomed.info/sct"
OBSERVATION = "https://esante.lu/fhir/CodeSystem/vaccination-observation"
RULE = "https://esante.lu/fhir/CodeSystem/vaccination-rule"
STATUS = "https://esante.lu/fhir/CodeSystem/vaccination-status"
_SYSTEMS = {SNOMED: "SNOMED", CVX: "CVX", "urn:oid:2.16.840.1.114222.4.5.274": "CDCPHINVS"}
"""Code systems of records, as supporting data name them."""
_EVIDENCE = ("Condition", "AllergyIntolerance", "Observation")
_DOUBTFUL = {"unconfirmed", "provisional", "differential"}
_WRONG = {"refuted", "entered-in-error"}
DISEASES = {
    "COVID-19": "840539006",
    "Chikungunya": "111864006",
    "Cholera": "63650001",
    "Dengue": "38362002",
    "Diphtheria": "397430003",
    "Ebola": "37109004",
    "HPV": "240532009",
    "HepA": "40468003",
    "HepB": "66071002",
    "Hib": "709410003",
    "Influenza": "6142004",
    "Japanese Encephalitis": "52947006",
    "Measles": "14189004",
    "Meningococcal": "23511006",
    "Meningococcal B": "23511006",
    "Mumps": "36989005",
    "Orthopoxvirus": "359814004",
    "Pertussis": "27836007",
    "Pneumococcal": "16814004",
    "Polio": "398102009",
    "RSV": "55735004",
    "Rabies": "14168008",
    "Rotavirus": "18624000",
    "Rubella": "36653000",
    "TBE": "712986001",
    "Tetanus": "76902006",
    "Typhoid": "4834000",
    "Varicella": "38907003",
    "Yellow Fever": "16541001",
    "Zoster": "4740000",
}
"""SNOMED CT concepts of the diseases, by antigen: those of the value set target-diseases-uv-ips of the IPS where it
has the disease, else (chikungunya, dengue, Ebola, mpox, pneumococci, RSV, zoster) of published maps of vaccines."""
_DATES = (
    ("earliest", "30981-5", "Earliest date to give"),
    ("recommended", "30980-7", "Date vaccine due"),
    ("past_due", "59778-1", "Date when overdue for immunization"),
    ("latest", "59777-3", "Latest date next dose may be given"),
)
_REASONS = {
    Reason.EXPIRED: "explot",
    Reason.CONDITION: "advstorage",
    Reason.TOO_YOUNG: "outsidesched",
    Reason.TOO_OLD: "outsidesched",
    Reason.TOO_SOON: "outsidesched",
    Reason.CONFLICT: "outsidesched",
}
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_DOSE_STATUS = f"{_TERMINOLOGY}/immunization-evaluation-dose-status"


class RequestError(ValueError):
    """The resource has not what an advice needs; the message names the element."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an advice is asked for. `on`: None where nothing says it; `ignored`: what was left out, and why."""

    patient: Patient
    reference: str
    doses: tuple[Dose, ...]
    on: date | None
    ignored: tuple[str, ...]


def parse_request(resource: Json, rules: RuleSet) -> Request:
    """Return what a Bundle, Parameters or Patient asks. Raises: RequestError."""
    on, resources = None, list(_resources(resource))
    for parameter in _items(resource, "parameter"):
        if parameter.get("name") == "assessmentDate":
            on = _full_date(parameter.get("valueDate") or parameter.get("valueDateTime"), "assessmentDate")
    patients = [one for one in resources if one.get("resourceType") == "Patient"]
    if len(patients) != 1:
        raise RequestError(f"there must be one Patient; here are {len(patients)}")
    ignored: list[str] = []
    doses = [_dose(one, ignored) for one in resources if one.get("resourceType") == "Immunization"]
    observations = [
        found for one in resources if one.get("resourceType") in _EVIDENCE for found in _observations(one, rules)
    ]
    patient = _patient(patients[0], tuple(observations))
    reference = f"Patient/{patients[0].get('id', 'unknown')}"
    return Request(patient, reference, tuple(filter(None, doses)), on, tuple(ignored))


def advice_bundle(advice: Advice, rules: RuleSet, reference: str) -> Json:
    """Return a Bundle (collection): an evaluation of each dose against each disease, and the recommendation."""
    resources = [*evaluations(advice, rules, reference)]
    found = recommendation(advice, rules, reference)
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [_entry(one) for one in (*resources, *([found] if found else []))],
    }


def _entry(resource: Json) -> Json:
    """Return an entry of a collection; its address follows from what the resource says."""
    return {"fullUrl": uuid5(NAMESPACE_URL, json.dumps(resource, sort_keys=True)).urn, "resource": resource}


def evaluations(advice: Advice, rules: RuleSet, reference: str) -> Iterator[Json]:
    """Yield an ImmunizationEvaluation of each dose against each disease."""
    for antigen in advice.by_antigen:
        for one in antigen.evaluations:
            yield _evaluation(antigen, one, rules, reference, advice.on)


def recommendation(advice: Advice, rules: RuleSet, reference: str) -> Json | None:
    """Return the ImmunizationRecommendation with a recommendation for each vaccine group; None without groups."""
    groups = (*advice.groups, *advice.further)
    if not groups:
        return None
    return {
        "resourceType": "ImmunizationRecommendation",
        "patient": {"reference": reference},
        "date": advice.on.isoformat(),
        "recommendation": [_recommendation(one, rules, advice.on) for one in groups],
    }


def _resources(resource: Json) -> Iterator[Json]:
    kind = resource.get("resourceType")
    if kind == "Bundle":
        yield from (one["resource"] for one in _items(resource, "entry") if isinstance(one.get("resource"), dict))
    elif kind == "Parameters":
        for parameter in _items(resource, "parameter"):
            inner = parameter.get("resource")
            if isinstance(inner, dict):
                yield from _resources(inner)
    else:
        yield resource


def _items(resource: Json, key: str) -> list[Json]:
    found = resource.get(key, [])
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _full_date(value: object, place: str) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise RequestError(f"{place} is {value!r} and no full date") from None


def _optional_date(value: object, *, last: bool = False) -> date | None:
    """Return a date that may be a month or a year only: its first day, or its last."""
    text = str(value or "")[:10]
    try:
        if len(text) == 4:
            return date(int(text), 12, 31) if last else date(int(text), 1, 1)
        if len(text) == 7:
            first = date.fromisoformat(f"{text}-01")
            return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1) if last else first
        return date.fromisoformat(text)
    except ValueError:
        return None


def _patient(resource: Json, observations: tuple[Observation, ...]) -> Patient:
    country = None
    for extension in _items(resource, "extension"):
        if extension.get("url") == "http://hl7.org/fhir/StructureDefinition/patient-birthPlace":
            country = (extension.get("valueAddress") or {}).get("country")
    gender = resource.get("gender")
    return Patient(
        birth_date=_full_date(resource.get("birthDate"), "Patient.birthDate"),
        gender=gender if gender in ("male", "female") else "unknown",
        observations=observations,
        birth_country=country,
        death_date=_optional_date(resource.get("deceasedDateTime"), last=True),
    )


def _dose(resource: Json, ignored: list[str]) -> Dose | None:
    """Return the dose of an Immunization, or None, with the reason in `ignored`."""
    id = str(resource.get("id", ""))
    name = f"Immunization/{id}"
    if resource.get("status") != "completed":
        ignored.append(f"{name}: its status is {resource.get('status')!r}")
        return None
    text = str(resource.get("occurrenceDateTime", ""))[:10]
    given_on = _optional_date(text) if len(text) == 10 else None
    if given_on is None:
        ignored.append(f"{name}: occurrenceDateTime is {resource.get('occurrenceDateTime')!r} and no full date")
        return None
    codings = _codings(resource.get("vaccineCode"))
    maker = (resource.get("manufacturer") or {}).get("identifier") or {}
    quantity = resource.get("doseQuantity") or {}
    return Dose(
        id=id,
        given_on=given_on,
        vaccine=next((str(one.get("code", "")) for one in codings if one.get("system") == CVX), ""),
        manufacturer=maker.get("value"),
        expires_on=_optional_date(resource.get("expirationDate"), last=True),
        condition_flag=resource.get("isSubpotent") is True,
        volume=quantity.get("value") if quantity.get("code", quantity.get("unit")) == "mL" else None,
    )


def _codings(concept: object) -> list[Json]:
    return _items(concept, "coding") if isinstance(concept, dict) else []


def _observations(resource: Json, rules: RuleSet) -> Iterator[Observation]:
    """Yield the observations of the rules that a resource is about."""
    verification = {str(one.get("code")) for one in _codings(resource.get("verificationStatus"))}
    clinical = {str(one.get("code")) for one in _codings(resource.get("clinicalStatus"))}
    if verification & _WRONG or resource.get("status") in ("entered-in-error", "cancelled"):
        return
    start = resource.get("onsetDateTime") or resource.get("effectiveDateTime")
    end = _optional_date(resource.get("abatementDateTime"), last=True)
    if end is None and clinical & {"inactive", "resolved", "remission"}:
        end = _optional_date(start) or date.min
    codings = [*_codings(resource.get("code")), *_codings(resource.get("valueCodeableConcept"))]
    for coding in codings:
        for code in _codes_of(coding, rules):
            yield Observation(code, _optional_date(start), end, certain=not verification & _DOUBTFUL)


def _codes_of(coding: Json, rules: RuleSet) -> tuple[str, ...]:
    system, code = str(coding.get("system", "")), str(coding.get("code", ""))
    if system == OBSERVATION:
        return (code,) if code in rules.observations else ()
    return rules.coded_values.get((_SYSTEMS.get(system, system), code), ())


def _evaluation(antigen: AntigenAdvice, one: DoseEvaluation, rules: RuleSet, reference: str, on: date) -> Json:
    valid = one.status is EvaluationStatus.VALID
    found: Json = {
        "resourceType": "ImmunizationEvaluation",
        "status": "completed",
        "patient": {"reference": reference},
        "date": on.isoformat(),
        "targetDisease": _disease(antigen.antigen),
        "immunizationEvent": {"reference": f"Immunization/{one.dose}"},
        "doseStatus": {**_concept(_DOSE_STATUS, "valid" if valid else "notvalid"), "text": str(one.status)},
        "description": f"{one.rule}: {rules.rule(one.rule).source}",
        "series": antigen.series[0],
    }
    if one.reason is not None:
        concept: Json = {"text": str(one.reason)}
        if one.reason in _REASONS:
            system = f"{_TERMINOLOGY}/immunization-evaluation-dose-status-reason"
            concept = {**_concept(system, _REASONS[one.reason]), **concept}
        found["doseStatusReason"] = [concept]
    return found


def _recommendation(one: GroupAdvice, rules: RuleSet, on: date) -> Json:
    codings = [
        {"system": CVX, "code": f"{int(cvx):02}", "display": rules.vaccine_names[int(cvx)]} for cvx in one.vaccines
    ]
    found: Json = {
        "vaccineCode": [{**({"coding": codings} if codings else {}), "text": one.group}],
        "forecastStatus": _status(one, on),
        "forecastReason": [
            {"coding": [{"system": RULE, "code": rule, "display": rules.rule(rule).source}], "text": f"{what}: {rule}"}
            for what, rule in one.rule_of.items()
        ],
    }
    antigens = next(group.antigens for group in rules.groups if group.name == one.group)
    if len(antigens) == 1:
        found["targetDisease"] = _disease(antigens[0])
    dates = [
        {"code": _concept("http://loinc.org", code, display), "value": day.isoformat()}
        for name, code, display in _DATES
        if (day := getattr(one, name)) is not None
    ]
    if dates:
        found["dateCriterion"] = dates
    if one.texts:
        found["description"] = "\n".join(one.texts)
    found["series"] = "; ".join(one.series)
    if one.dose_number is not None:
        found["doseNumberPositiveInt"] = one.dose_number
    valid = [one.dose for one in one.evaluations if one.status is EvaluationStatus.VALID]
    if valid:
        found["supportingImmunization"] = [{"reference": f"Immunization/{dose}"} for dose in valid]
    return found


def _status(one: GroupAdvice, on: date) -> Json:
    standard = {
        SeriesStatus.COMPLETE: "complete",
        SeriesStatus.IMMUNE: "immune",
        SeriesStatus.CONTRAINDICATED: "contraindicated",
        SeriesStatus.NOT_COMPLETE: "overdue" if one.past_due is not None and one.past_due < on else "due",
    }
    if one.status in standard:
        system = f"{_TERMINOLOGY}/immunization-recommendation-status"
        return {**_concept(system, standard[one.status]), "text": str(one.status)}
    return {**_concept(STATUS, str(one.status).lower().replace(" ", "-")), "text": str(one.status)}


def _disease(antigen: str) -> Json:
    code = DISEASES.get(antigen)
    return {**(_concept(SNOMED, code) if code else {}), "text": antigen}


def _concept(system: str, code: str, display: str = "") -> Json:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}
