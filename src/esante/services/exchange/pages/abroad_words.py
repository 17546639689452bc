"""The words of the pages about patients from abroad: countries, fields of masks, outcomes, sections, states."""

import hashlib
from datetime import date
from typing import Any

from babel import Locale

from esante.core.web import N_, show_date
from esante.services.exchange.country_b import rules
from esante.services.exchange.country_b.model import Document, Encounter, Outcome

_FIELDS = {
    "nationalidentitycardnumber": N_("National identity number"),
    "nationalidentifier": N_("National identity number"),
    "socialsecuritynumber": N_("Social security number"),
    "healthinsurancenumber": N_("Health insurance number"),
    "passportnumber": N_("Passport number"),
    "birthdate": N_("Date of birth"),
    "dateofbirth": N_("Date of birth"),
    "familyname": N_("Family name"),
    "surname": N_("Family name"),
    "givenname": N_("Given name"),
    "firstname": N_("Given name"),
    "sex": N_("Sex"),
    "gender": N_("Sex"),
}
"""Labels of masks by the last part of their key, in lower case."""
CLASSES = {
    "60591-5": (N_("Patient summary"), N_("Patient summary"), "summary"),
    "57833-6": (N_("Prescriptions"), N_("Prescription"), "medicine"),
    "11502-2": (N_("Laboratory reports"), N_("Laboratory report"), "lab"),
    "34105-7": (N_("Discharge letters"), N_("Discharge letter"), "letter"),
    "18748-4": (N_("Imaging reports"), N_("Imaging report"), "imaging"),
}
"""Classes of documents by LOINC: their heading, one of them, an icon."""
SECTIONS = {
    "48765-2": N_("Allergies and intolerances"),
    "11450-4": N_("Current health problems"),
    "11348-0": N_("Past health problems"),
    "10160-0": N_("Medicines"),
    "47519-4": N_("Procedures and operations"),
    "46264-8": N_("Devices and implants"),
    "11369-6": N_("Vaccinations"),
    "10162-6": N_("Pregnancy"),
    "29762-2": N_("Social history"),
    "8716-3": N_("Vital signs"),
    "30954-2": N_("Results"),
    "47420-5": N_("Functional status"),
    "42348-3": N_("Advance directives"),
    "18776-5": N_("Care plan"),
    "57828-6": N_("Prescribed medicines"),
    "60590-7": N_("Dispensed medicines"),
}
"""Sections of documents by LOINC."""
SEVERITIES = {
    "mild": N_("mild"),
    "moderate": N_("moderate"),
    "severe": N_("severe"),
    "low": N_("low risk"),
    "high": N_("high risk"),
}
STATUSES = {
    "active": N_("active"),
    "inactive": N_("inactive"),
    "resolved": N_("resolved"),
    "recurrence": N_("recurring"),
    "remission": N_("in remission"),
    "completed": N_("completed"),
    "stopped": N_("stopped"),
    "not-taken": N_("not taken"),
    "not-done": N_("not done"),
    "entered-in-error": N_("entered in error"),
}
"""States of entries (FHIR)."""
FOUND = {
    Outcome.NO_MATCH: (
        N_("No patient was found"),
        N_("Check with the patient what you typed, above all the identifier, and search again."),
    ),
    Outcome.MULTIPLE: (
        N_("More than one person fits"),
        N_("The country shows none of them. Search again with more details."),
    ),
    Outcome.MORE_DATA: (
        N_("The country needs more details"),
        N_("Fill in further fields, or correct them, and search again."),
    ),
    Outcome.REFUSED: (
        N_("The country does not give access"),
        N_(
            "The patient may not have agreed to the exchange, or your role may not be enough there."
            " Ask the patient; they can change this with the authorities of their country."
        ),
    ),
    Outcome.FAILED: (
        N_("The search did not work"),
        N_("Nothing is known about the patient from this. Try again in a few minutes."),
    ),
}
"""What came of a search that found nobody: title, and what to do."""
NAMED = {
    "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE": N_(
        "The contact point of the country could not be reached, or did not answer in time."
    ),
    "ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED": N_("The answer could not be trusted, so nothing of it is shown."),
    "ERROR_GENERIC_SERVICE_SIGNIFIER_UNKNOWN": N_("The country does not offer this service."),
    "ERROR_PS_NOT_FOUND": N_("The country has no patient summary of this patient."),
    "ERROR_EP_NOT_FOUND": N_("The country has no prescription of this patient."),
    "ERROR_GENERIC_DOCUMENT_MISSING": N_("The document is not there, or no longer."),
    "ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION": N_("The prescription can no longer be dispensed."),
    "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE": N_("The country does not know this prescription."),
    "ERROR_ED_DISCARD_FAILED": N_("The country did not discard the dispensation."),
    "4106": N_("The prescription has been dispensed already."),
}
"""What the names of errors mean."""
STATES = {
    "waiting": (N_("Waiting for the answer"), "act", "clock"),
    "unknown": (N_("Dispensation without an answer"), "danger", "warning"),
    "ended": (N_("Ended"), "", "check"),
    "confirmed": (N_("In treatment"), "good", "check"),
    "identified": (N_("Identity to confirm"), "act", "person"),
    "not found": (N_("Not found"), "warn", "search"),
}
"""What an encounter is now: label, tone, icon."""
SUBMISSIONS = {
    Outcome.ACKNOWLEDGED: (N_("Received by the country"), "good", "check"),
    Outcome.REFUSED: (N_("Refused by the country"), "danger", "close"),
    Outcome.UNKNOWN: (N_("Without an answer"), "danger", "warning"),
}


def language_name(tag: str, language: str) -> str:
    """Return the name of a language in a language, the tag for an unknown one."""
    return str(Locale.parse(language).languages.get(tag.partition("-")[0].lower(), tag))


def field_label(label: str) -> str:
    """Return the msgid of the label of a field in a mask; of an unknown one its own last part, in words."""
    last = label.rpartition(".")[2]
    if known := _FIELDS.get(last.lower()):
        return known
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in last).strip()
    return words[:1].upper() + words[1:80]


def state_of(encounter: Encounter, now: Any) -> str:
    """Return the key of `STATES` that an encounter has."""
    if encounter.ended_at is not None:
        return "ended"
    if rules.is_waiting(encounter, now):
        return "waiting"
    if encounter.unknown is not None:
        return "unknown"
    if encounter.confirmed_at is not None:
        return "confirmed"
    return "identified" if encounter.patient else "not found"


def document_key(document: Document) -> str:
    """Return the key of a document in addresses, which do not show its identifier."""
    return hashlib.sha256(document.unique_id.encode()).hexdigest()[:20]


def show_day(text: str, language: str) -> str:
    """Return a day of HL7 (20260131…) or FHIR (2026-01-31) in words; a part of one, or another text, as it is."""
    digits = text.replace("-", "")[:8]
    if len(digits) == 8 and digits.isdigit():
        try:
            return show_date(date(int(digits[:4]), int(digits[4:6]), int(digits[6:])), language)
        except ValueError:
            return text
    return text


def show_when(when: Any, language: str) -> str:
    """Return a time or a period of an entry in words."""
    if when.text:
        return str(when.text)
    days = [show_day(one[:10], language) for one in (when.start, when.end) if one]
    return " – ".join(dict.fromkeys(days))


def facts_of(row: Any, language: str, gettext: Any) -> list[str]:
    """Return the further words of an entry: value, dosage, reactions, severity, state, time."""
    found = [" ".join(filter(None, (getattr(row, "value", ""), getattr(row, "unit", ""))))]
    found += [getattr(row, name, "") for name in ("dosage", "dose", "lot", "diseases")]
    for reaction in getattr(row, "reaction_list", ()):
        severity = gettext(SEVERITIES[reaction.severity]) if reaction.severity in SEVERITIES else reaction.severity
        found.append(f"{reaction.text} ({severity})" if severity else reaction.text)
    for name in ("criticality", "severity"):
        value = getattr(row, name, "")
        found.append(gettext(SEVERITIES[value]) if value in SEVERITIES else value)
    found.append(gettext(STATUSES[row.status]) if row.status in STATUSES else "")
    found.append(show_when(row.when, language))
    found += [member_text(one) for one in getattr(row, "members", ())]
    return [one for one in dict.fromkeys(found) if one]


def member_text(row: Any) -> str:
    """Return a part of a panel in one line."""
    value = " ".join(filter(None, (row.value, row.unit)))
    return f"{row.name}: {value}" if value else row.name
