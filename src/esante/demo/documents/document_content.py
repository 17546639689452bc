"""Drafts of each kind of document: discharge letters, laboratory reports, advance directives and others."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from esante.demo.data_tables import draw_phrase, load_table, localized_name, phrase_languages, term
from esante.demo.documents.care_case import Authorship, CareCase
from esante.demo.documents.table_rows import format_day
from esante.demo.model import (
    Allergy,
    Diagnosis,
    DocumentDraft,
    LaboratoryResult,
    Medication,
    Procedure,
    Section,
    VaccineDose,
)
from esante.demo.seeded_random import draw_moment

Entry = Mapping[str, Any]


def build_medications(names: list[str], language: str, *, ordered: bool = False) -> tuple[Medication, ...]:
    """Return medications of `medicines.toml`, with their dosage in words."""
    return tuple(_medicine(load_table("medicines")[name], language, ordered) for name in dict.fromkeys(names))


def _medicine(entry: Entry, language: str, ordered: bool) -> Medication:
    dose = entry["dose"] or term("word.weekly" if entry["atc"].startswith("M05") else "word.as_needed", language)
    if "days" in entry:
        dose = f"{dose} {term('word.days', language).format(n=entry['days'])}"
    return Medication(
        atc=entry["atc"], name=f"{localized_name(entry, language)} {entry['form']}", dose=dose, ordered=ordered
    )


def draw_vitals(case: CareCase) -> dict[str, int]:
    """Draw blood pressure (mmHg) and pulse (1/min)."""
    high = "hypertension" in case.citizen.conditions
    return {
        "systolic": case.rng.randint(128, 158) if high else case.rng.randint(108, 134),
        "diastolic": case.rng.randint(78, 96) if high else case.rng.randint(64, 84),
        "pulse": case.rng.randint(56, 92),
    }


def draft_laboratory_report(case: CareCase, day: date, panel: str) -> DocumentDraft:
    """Return a laboratory report of a panel."""
    place = case.rng.choice(("lab-moselle", "lab-alzette"))
    authorship = case.find_author("medical_biology", at=place, profession="lab_biologist")
    language = case.draw_language(authorship, phrase_languages("laboratory.comment"))
    taken = draw_moment(case.rng, day, (7, 10))
    results = case.laboratory.panel(case.rng, panel, taken, language)
    comment = draw_phrase(case.rng, "laboratory.comment", language)
    sections = (Section(code="26436-6", facts=results), Section(code="48767-8", text=(comment,)))
    return case.draft("laboratory", taken + timedelta(hours=case.rng.randint(4, 9)), authorship, sections, language)


def draft_consultation_report(case: CareCase, day: date, condition: Entry, authorship: Authorship) -> DocumentDraft:
    """Return the report of a specialist or general practitioner on a condition."""
    language = case.draw_language(authorship, phrase_languages("consultation.reason"))
    name = localized_name(condition, language)
    fill = {"dx": name, **draw_vitals(case)}
    sections = tuple(
        Section(code=code, text=(draw_phrase(case.rng, f"consultation.{part}", language, **fill),))
        for code, part in (("29299-5", "reason"), ("29545-1", "findings"), ("51847-2", "plan"))
    )
    return case.draft("consultation", day, authorship, sections, language, name)


def draft_radiotherapy_report(case: CareCase, day: date, condition: Entry) -> DocumentDraft:
    """Return a report of the radiotherapy centre, with the doses given."""
    authorship = case.find_author("radiotherapy", at="radiotherapy")
    language = case.draw_language(authorship, phrase_languages("radiotherapy.reason"))
    course, name = condition["radiotherapy"], localized_name(condition, language)
    dose_per_fraction = course["dose"] / course["fractions"]
    fill = {"dx": name, "site": course["site"][language], "per": f"{dose_per_fraction:g}"}
    fill |= {"dose": course["dose"], "fractions": course["fractions"]}
    sections = tuple(
        Section(code=code, text=(draw_phrase(case.rng, f"radiotherapy.{part}", language, **fill),))
        for code, part in (("29299-5", "reason"), ("29545-1", "findings"), ("51847-2", "plan"))
    )
    return case.draft("radiotherapy", day, authorship, sections, language, name)


def draft_imaging_report(case: CareCase, day: date, examination: str, *, abnormal: bool) -> DocumentDraft:
    """Return a report of the imaging centre."""
    entry = load_table("imaging")[examination]
    authorship = case.find_author("radiology", at="imaging")
    language = case.draw_language(authorship, ("fr", "de", "en"))
    findings, impression = entry["abnormal" if abnormal else "normal"][language]
    done = Procedure(name=localized_name(entry, language), at=draw_moment(case.rng, day))
    sections = (
        Section(code="55111-9", text=(entry["technique"][language],), facts=(done,)),
        Section(code="18782-3", text=(findings,)),
        Section(code="19005-8", text=(impression,)),
    )
    return case.draft("imaging", done.at, authorship, sections, language, done.name)


def draft_operation_report(case: CareCase, day: date, condition: Entry, authorship: Authorship) -> DocumentDraft:
    """Return the report of a surgeon."""
    language = case.draw_language(authorship, phrase_languages("operation.plan"))
    done = Procedure(name=condition["operation"][language], at=draw_moment(case.rng, day, (8, 16)))
    minutes = case.rng.randrange(25, 130, 5)
    described = draw_phrase(case.rng, "operation.description", language, operation=done.name, minutes=minutes)
    sections = (
        Section(code="10219-4", facts=(_diagnosis(condition, language, day),)),
        Section(code="59772-4", text=(draw_phrase(case.rng, "operation.preparation", language),)),
        Section(code="29554-3", text=(described,), facts=(done,)),
        Section(code="18776-5", text=(draw_phrase(case.rng, "operation.plan", language),)),
    )
    return case.draft("operation", done.at, authorship, sections, language, done.name)


def draft_discharge_letter(
    case: CareCase, start: date, end: date, condition: Entry, authorship: Authorship
) -> DocumentDraft:
    """Return the letter of a hospital at the end of a stay."""
    language = case.draw_language(authorship, phrase_languages("discharge.reason"))
    name = localized_name(condition, language)
    fill = {"start": format_day(start, language), "end": format_day(end, language), "dx": name}
    reason, state, plan = (
        draw_phrase(case.rng, f"discharge.{part}", language, **fill) for part in ("reason", "state", "plan")
    )
    lasting = [entry for known in conditions_on(case, end).values() for entry in known["medicines"]]
    sections = (
        Section(code="46241-6", text=(reason,)),
        Section(code="8648-8", text=(condition["course"][language], state)),
        Section(code="11535-2", facts=(_diagnosis(condition, language, start),)),
        Section(code="10183-2", facts=build_medications([*condition["medicines"], *lasting], language)),
        Section(code="18776-5", text=(plan,)),
    )
    filled = tuple(section for section in sections if section.text or section.facts)
    return case.draft("discharge", draw_moment(case.rng, end, (11, 18)), authorship, filled, language, name)


def draft_prescription(case: CareCase, day: date, names: list[str], authorship: Authorship) -> DocumentDraft:
    """Return a prescription of medications."""
    language = case.draw_language(authorship, phrase_languages("prescription.advice"))
    advice = draw_phrase(case.rng, "prescription.advice", language)
    ordered = build_medications(names, language, ordered=True)
    return case.draft(
        "prescription", day, authorship, (Section(code="57828-6", text=(advice,), facts=ordered),), language
    )


def draft_referral_letter(case: CareCase, day: date, condition: Entry) -> DocumentDraft:
    """Return the letter of the general practitioner to a specialist."""
    authorship = case.general_practitioner
    language = case.draw_language(authorship, phrase_languages("letter.more"))
    name = localized_name(condition, language)
    body = [text.format(dx=name) for text in load_table("phrases")["letter"]["body"][language]]
    more = draw_phrase(case.rng, "letter.more", language)
    sections = (Section(code="51852-2", text=(*body, more, authorship.author.name)),)
    return case.draft("letter", day, authorship, sections, language, name)


def draft_vaccination_history(
    case: CareCase, day: date, doses: tuple[VaccineDose, ...], authorship: Authorship, language: str
) -> DocumentDraft:
    """Return the vaccination history: every dose known on a day."""
    source = draw_phrase(case.rng, "vaccination.source", language)
    return case.draft(
        "vaccination", day, authorship, (Section(code="11369-6", text=(source,), facts=doses),), language
    )


def draft_patient_summary(
    case: CareCase, day: date, allergens: list[str], doses: Mapping[str, tuple[VaccineDose, ...]]
) -> DocumentDraft:
    """Return the patient summary of the general practitioner.

    It has problems, allergies, medications, vaccinations and the latest results.
    """
    authorship = case.general_practitioner
    language = case.draw_language(authorship, phrase_languages("summary.care"))
    known = conditions_on(case, day)
    problems = tuple(_diagnosis(entry, language, case.citizen.conditions[name]) for name, entry in known.items())
    taken = build_medications([name for entry in known.values() for name in entry["medicines"]], language)
    allergies = tuple(
        Allergy(atc=entry["atc"], name=entry[language])
        for entry in (load_table("titles")["allergen"][name] for name in allergens)
    )
    none = () if allergies else (draw_phrase(case.rng, "summary.none", language),)
    given = tuple(dose for dose in doses[language] if dose.day < day)[-6:]
    at = draw_moment(case.rng, day)
    sections = (
        Section(code="11450-4", facts=problems),
        Section(code="48765-2", text=none, facts=allergies),
        Section(code="10160-0", facts=taken),
        Section(code="11369-6", facts=given),
        Section(code="30954-2", facts=_latest(case, at, language)),
        Section(code="29751-5", text=(draw_phrase(case.rng, "summary.care", language, gp=authorship.author.name),)),
    )
    filled = tuple(section for section in sections if section.text or section.facts)
    return case.draft("summary", at, authorship, filled, language)


def draft_own_note(case: CareCase, day: date) -> DocumentDraft:
    """Return a note that a patient writes for themselves and their doctors."""
    language = case.draw_language(None, phrase_languages("note.body"))
    text = draw_phrase(case.rng, "note.body", language, **draw_vitals(case))
    return case.draft(
        "note", draw_moment(case.rng, day, (18, 22)), None, (Section(code="51855-5", text=(text,)),), language
    )


def draft_advance_directive(case: CareCase, day: date) -> DocumentDraft:
    """Return an advance directive of the patient."""
    language = case.draw_language(None, phrase_languages("directive.body"))
    text = draw_phrase(case.rng, "directive.body", language)
    return case.draft("directive", day, None, (Section(code="42348-3", text=(text,)),), language)


def draft_electrocardiogram(case: CareCase, day: date, authorship: Authorship) -> DocumentDraft:
    """Return an electrocardiogram, to be rendered as an image."""
    return case.draft("ecg", day, authorship, (), case.draw_language(authorship, ("fr", "de", "en", "lb")))


def conditions_on(case: CareCase, day: date) -> dict[str, Any]:
    """Return the lasting conditions known on a day: their entries of `conditions.toml` by name."""
    lasting = load_table("conditions")["chronic"]
    return {name: lasting[name] for name, since in case.citizen.conditions.items() if since <= day}


def _diagnosis(condition: Entry, language: str, since: date) -> Diagnosis:
    return Diagnosis(icd10=condition["icd10"], name=localized_name(condition, language), since=since)


def _latest(case: CareCase, at: datetime, language: str) -> tuple[LaboratoryResult, ...]:
    analytes = ["creatinine", "hemoglobin"] + (["hba1c"] if "diabetes" in case.citizen.conditions else [])
    taken = at - timedelta(days=case.rng.randint(3, 30))
    return tuple(case.laboratory.result(case.rng, analyte, taken, language) for analyte in analytes)
