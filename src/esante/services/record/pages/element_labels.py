"""The words of pages for what FHIR names in English: elements, resource types and codes of R4.

An element or code without words here is not shown to people; the page counts it, and the download has it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from esante.core.fhir.view import Detail
from esante.core.web import N_, P_

ELEMENTS: Mapping[str, str] = {
    "activity": N_("Activities"),
    "actor": N_("By"),
    "address": N_("Address"),
    "agent": N_("By"),
    "asserter": N_("Stated by"),
    "basedOn": N_("Based on"),
    "batchNumber": N_("Batch number"),
    "birthDate": N_("Date of birth"),
    "bodySite": N_("Part of the body"),
    "clinicalStatus": N_("Status"),
    "code": N_("What"),
    "comment": N_("Comment"),
    "complication": N_("Complications"),
    "conclusion": N_("Conclusion"),
    "conclusionCode": N_("Conclusion"),
    "contact": N_("Contact"),
    "courseOfTherapyType": N_("Kind of treatment"),
    "data": N_("Applies to"),
    "date": N_("Date"),
    "dateCriterion": N_("Due"),
    "description": N_("Description"),
    "detail": N_("Details"),
    "device": N_("Device"),
    "diagnosis": N_("Diagnosis"),
    "dispenseRequest": N_("To be dispensed"),
    "dose": N_("Dose"),
    "doseAndRate": N_("Dose"),
    "doseNumber": N_("Dose number"),
    "due": N_("Due"),
    "encounter": N_("Visit or stay"),
    "evidence": N_("Findings behind it"),
    "expirationDate": N_("Use by"),
    "expressionDate": N_("Date"),
    "followUp": N_("Follow-up"),
    "forecastReason": P_("clinical", "Reason"),
    "forecastStatus": N_("Status"),
    "function": N_("Role"),
    "gender": N_("Sex"),
    "goal": N_("Goals"),
    "hospitalization": N_("Stay"),
    "individual": N_("Who"),
    "informationSource": N_("According to"),
    "intent": N_("Kind of request"),
    "issued": N_("Released"),
    "issuer": N_("Issued by"),
    "lastOccurrence": N_("Last time"),
    "lifecycleStatus": N_("Status"),
    "location": N_("Place"),
    "lotNumber": N_("Batch number"),
    "manufacturer": N_("Manufacturer"),
    "measure": N_("Measured by"),
    "method": N_("Method"),
    "modelNumber": P_("device", "Model"),
    "name": N_("Name"),
    "note": N_("Note"),
    "occurred": N_("Date"),
    "occurrence": N_("Date"),
    "onset": N_("Since"),
    "orderDetail": N_("Details"),
    "organization": N_("Organisation"),
    "participant": N_("Taking part"),
    "partOf": N_("Part of"),
    "patientInstruction": N_("Instructions for the patient"),
    "performer": N_("Performed by"),
    "period": N_("Time"),
    "policy": N_("Rules"),
    "position": N_("Position"),
    "prescriber": N_("Prescribed by"),
    "presentedForm": N_("Attached file"),
    "primarySource": N_("Recorded by the vaccinator"),
    "priority": N_("Priority"),
    "product": N_("Product"),
    "provision": N_("Rules"),
    "purpose": N_("Purpose"),
    "quantity": N_("Quantity"),
    "reaction": N_("Reactions"),
    "reason": P_("clinical", "Reason"),
    "reasonCode": P_("clinical", "Reason"),
    "reasonReference": P_("clinical", "Reason"),
    "recommendation": N_("Recommended"),
    "recorded": N_("Recorded"),
    "recordedDate": N_("Recorded"),
    "recordedOn": N_("Recorded"),
    "recorder": N_("Recorded by"),
    "reference": N_("Refers to"),
    "relationship": N_("Relationship"),
    "repeat": N_("How often"),
    "requester": N_("Ordered by"),
    "result": N_("Results"),
    "resultsInterpreter": N_("Assessed by"),
    "role": N_("Role"),
    "route": N_("Way of giving"),
    "scope": N_("Subject"),
    "serialNumber": N_("Serial number"),
    "series": N_("Series"),
    "serviceProvider": N_("Organisation"),
    "serviceType": N_("Kind of service"),
    "site": N_("Part of the body"),
    "source": N_("Source"),
    "specialty": N_("Speciality"),
    "specimen": N_("Sample"),
    "stage": N_("Stage"),
    "statedBy": N_("Stated by"),
    "status": N_("Status"),
    "statusReason": P_("clinical", "Reason"),
    "summary": N_("Summary"),
    "supportingInfo": N_("Further information"),
    "target": N_("Goal value"),
    "targetDisease": N_("Protects against"),
    "telecom": N_("Contact"),
    "text": N_("Text"),
    "timing": N_("Time"),
    "title": N_("Title"),
    "type": N_("Type"),
    "usedFor": N_("Used for"),
    "vaccineCode": N_("Vaccine"),
    "validityPeriod": N_("Valid"),
    "verificationStatus": N_("Certainty"),
    "who": N_("Who"),
}
"""Words for elements; of a choice such as `effectiveDateTime` the stem counts."""
_DATE_STEMS = {"effective": N_("Date"), "performed": N_("Date"), "created": N_("Date"), "authored": N_("Date")}
_TYPES = "DateTime|Date|Instant|Period|Quantity|CodeableConcept|Reference|String|Range|Age|Duration|Boolean|Timing|Uri"
_CHOICE = re.compile(rf"(?<=[a-z])({_TYPES}|PositiveInt|Integer)$")

RESOURCE_TYPES: Mapping[str, str] = {
    "AdverseEvent": N_("Adverse event"),
    "AllergyIntolerance": N_("Allergy or intolerance"),
    "Appointment": N_("Appointment"),
    "BodyStructure": N_("Part of the body"),
    "CarePlan": N_("Care plan"),
    "CareTeam": N_("Care team"),
    "ClinicalImpression": N_("Assessment"),
    "Communication": N_("Message"),
    "Condition": N_("Health problem or diagnosis"),
    "Consent": N_("Consent"),
    "Coverage": N_("Insurance"),
    "DetectedIssue": N_("Warning"),
    "Device": N_("Device"),
    "DeviceRequest": N_("Prescribed device"),
    "DeviceUseStatement": N_("Device in use"),
    "DiagnosticReport": N_("Report"),
    "DocumentReference": N_("Document"),
    "Encounter": N_("Visit or stay"),
    "EpisodeOfCare": N_("Period of care"),
    "FamilyMemberHistory": N_("Illness in the family"),
    "Flag": N_("Warning"),
    "Goal": N_("Goal"),
    "Group": N_("Group"),
    "HealthcareService": N_("Service"),
    "ImagingStudy": N_("Imaging"),
    "Immunization": N_("Vaccination"),
    "ImmunizationEvaluation": N_("Assessment of a vaccination"),
    "ImmunizationRecommendation": N_("Recommended vaccination"),
    "List": N_("List"),
    "Location": N_("Place"),
    "Media": N_("Picture or recording"),
    "Medication": N_("Medicine"),
    "NutritionOrder": N_("Diet"),
    "Observation": N_("Test or measurement"),
    "Organization": N_("Organisation"),
    "Patient": N_("Patient"),
    "Practitioner": N_("Health professional"),
    "PractitionerRole": N_("Health professional"),
    "Procedure": N_("Procedure"),
    "Provenance": N_("Where it comes from"),
    "QuestionnaireResponse": N_("Answered questionnaire"),
    "RelatedPerson": N_("Relative or carer"),
    "RequestGroup": N_("Order"),
    "RiskAssessment": N_("Risk assessment"),
    "ServiceRequest": N_("Order"),
    "Specimen": N_("Sample"),
    "Substance": N_("Substance"),
    "Task": N_("Task"),
    "VisionPrescription": N_("Prescription for glasses"),
}
OTHER_TYPE = N_("Other entry")

CODES: Mapping[str, str] = {
    "true": N_("yes"),
    "false": N_("no"),
    "allergy": N_("allergy"),
    "intolerance": N_("intolerance"),
    "female": N_("female"),
    "male": N_("male"),
    "proposal": N_("proposal"),
    "plan": N_("plan"),
    "routine": N_("not urgent"),
    "urgent": N_("urgent"),
    "asap": N_("as soon as possible"),
    "stat": N_("at once"),
    "proposed": N_("proposed"),
    "accepted": N_("accepted"),
    "scheduled": N_("planned"),
    "not-started": N_("not started"),
    "rejected": N_("declined"),
    "finished": N_("completed"),
    "arrived": N_("arrived"),
    "permit": N_("allowed"),
    "deny": N_("not allowed"),
}
"""Words for primitive values that are codes, beside `formatting.STATUSES`."""
_CODED = frozenset(
    ["status", "lifecycleStatus", "type", "gender", "intent", "priority", "mode", "use", "kind", "forecastStatus"]
)
"""Elements whose primitive values are codes: without words for the code they say nothing to people."""

_USUAL = frozenset([("intent", "order"), ("intent", "original-order")])
_WHO = frozenset(["actor", "individual", "who"])
"""Elements that alone say no more than the one around them."""

ABSENCES: Mapping[str, str] = {
    "unknown": N_("unknown"),
    "asked-unknown": N_("asked, but not known"),
    "asked-declined": N_("not shared"),
    "temp-unknown": N_("not known yet"),
    "not-asked": N_("not asked"),
    "notasked": N_("not asked"),
    "not-applicable": N_("does not apply"),
    "masked": N_("confidential"),
    "unsupported": N_("not available"),
    "error": N_("measuring error"),
    "not-a-number": N_("not measurable"),
    "not-performed": N_("not done"),
    "not-permitted": N_("not available"),
    "nilknown": N_("none known"),
    "withheld": N_("confidential"),
    "unavailable": N_("not available"),
    "notstarted": N_("not started"),
    "closed": N_("closed"),
}
"""Words for the codes of a missing value or an empty section (data-absent-reason, list-empty-reason)."""

SEVERITIES: Mapping[str, str] = {"mild": N_("mild"), "moderate": N_("moderate"), "severe": N_("severe")}


@dataclass(frozen=True, slots=True)
class NamedDetail:
    """An element with its words (msgid) for a page; `code` is the text (msgid) of a coded value."""

    label: str
    detail: Detail
    code: str = ""
    parts: tuple["NamedDetail", ...] = ()


def element_label(name: str) -> str:
    """Return the words (msgid) for an R4 element; empty where there are none."""
    stem = _CHOICE.sub("", name)
    return ELEMENTS.get(name) or ELEMENTS.get(stem) or _DATE_STEMS.get(stem, "")


def name_details(details: Iterable[Detail], codes: Mapping[str, str]) -> list[NamedDetail]:
    """Return the details that people can be shown; `codes` has words beside `CODES`."""
    found = []
    for detail in details:
        parts = tuple(name_details(detail.parts, codes)) if detail.parts else ()
        label = element_label(detail.name)
        if len(parts) == 1 and detail.parts[0].name in _WHO and not parts[0].parts:
            detail, parts = detail.parts[0], ()
        if not label or (detail.parts and not parts) or _is_usual(detail):
            continue
        code = _code_text(detail, codes)
        if detail.is_primitive and detail.name in _CODED and not code:
            continue
        found.append(NamedDetail(label, detail, code, parts))
    return found


def count_unnamed(details: Iterable[Detail], codes: Mapping[str, str]) -> int:
    """Return how many of the details, and of their parts, `name_details` leaves out."""
    left_out = 0
    for detail in details:
        if _is_usual(detail):
            continue
        named = name_details([detail], codes)
        left_out += count_unnamed(detail.parts, codes) if named else 1
    return left_out


def _is_usual(detail: Detail) -> bool:
    """Return whether an element only says what is so of nearly every entry."""
    return (detail.name, detail.text) in _USUAL


def _code_text(detail: Detail, codes: Mapping[str, str]) -> str:
    if not detail.is_primitive or (detail.name not in _CODED and detail.text not in ("true", "false")):
        return ""
    return CODES.get(detail.text) or codes.get(detail.text, "")
