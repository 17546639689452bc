"""The course of care of a person over the years, and the documents that it produces."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from esante.demo.data_tables import LANGUAGES, load_table, phrase_languages
from esante.demo.documents import document_content
from esante.demo.documents.care_case import CareCase
from esante.demo.model import Citizen, DocumentDraft, VaccineDose, World
from esante.demo.seeded_random import age_on, draw_day, spaced_days, years_before

STAY_RATE_FACTOR = 2.6
"""The rates in the data are those of single diagnoses; the factor accounts for all diagnoses that are not listed."""


def record_period(world: World, citizen: Citizen) -> tuple[date, date] | None:
    """Return the first and the last day on which a record is open for deposits; None when there is none.

    It is open from its opening until closing, death or today.
    """
    if citizen.state not in ("open", "closed"):
        return None
    ends = [end.date() for end in (citizen.ended_at, citizen.person.deceased_at) if end]
    first, last = (citizen.announced_at + timedelta(days=31)).date(), min([world.day, *ends]) - timedelta(days=1)
    return (first, last) if first < last else None


def draft_documents(world: World, citizen: Citizen) -> list[DocumentDraft]:
    """Return the drafts of every document of a person, by time."""
    days = record_period(world, citizen)
    if days is None:
        return []
    case = CareCase(world, citizen, *days)
    doses = _doses(case)
    drafts = [
        *_follow_up(case),
        *_stays(case),
        *_prevention(case, doses),
        *_own_documents(case),
        *_summaries(case, doses),
    ]
    return sorted(
        (draft for draft in drafts if case.first <= draft.at.date() <= case.last), key=lambda draft: draft.at
    )


def _follow_up(case: CareCase) -> Iterator[DocumentDraft]:
    """Yield the follow-up of lasting conditions: analyses, consultations, prescriptions, letters."""
    for name, since in case.citizen.conditions.items():
        condition = load_table("conditions")["chronic"][name]
        first = max(case.first, since)
        for day in spaced_days(case.rng, first, case.last, case.interval(600)):
            yield document_content.draft_laboratory_report(case, day, condition["panel"])
        yield from _consultations(case, name, condition, first)
        if condition["medicines"]:
            for day in spaced_days(case.rng, first, case.last, case.interval(820)):
                yield document_content.draft_prescription(case, day, condition["medicines"], case.general_practitioner)
        if "radiotherapy" in condition:
            for wait in (30, 62, 100, 200, 380, 740):
                yield document_content.draft_radiotherapy_report(case, since + timedelta(days=wait), condition)


def _consultations(case: CareCase, name: str, condition: dict[str, Any], first: date) -> Iterator[DocumentDraft]:
    specialist = case.find_author(condition["speciality"])
    for day in spaced_days(case.rng, first, case.last, case.interval(760)):
        if case.draw_bool(0.4):
            yield document_content.draft_referral_letter(
                case, day - timedelta(days=case.rng.randint(8, 40)), condition
            )
        yield document_content.draft_consultation_report(
            case, day, condition, specialist if case.draw_bool(0.7) else case.general_practitioner
        )
        if condition["speciality"] == "cardiology" and case.draw_bool(0.06 if not case.citizen.showcase else 0.3):
            yield document_content.draft_electrocardiogram(case, day, specialist)
        if name == "back_pain" and case.draw_bool(0.35):
            yield document_content.draft_imaging_report(
                case, day + timedelta(days=9), "spine_mri", abnormal=case.draw_bool(0.6)
            )


def _stays(case: CareCase) -> Iterator[DocumentDraft]:
    """Yield the documents of hospital stays, which are drawn by age and sex."""
    born = case.citizen.person.birth_date
    for name, start in case.citizen.stays.items():
        yield from _stay(case, start, load_table("conditions")["acute"][name])
    for condition in load_table("conditions")["acute"].values():
        if condition.get("sex", case.citizen.person.sex) != case.citizen.person.sex:
            continue
        for low, high, rate in condition["ages"]:
            first = max(case.first, years_before(born, -low))
            last = min(case.last, years_before(born, -high))
            years = (last - first).days / 365.25
            if years > 0 and case.draw_bool(1 - (1 - min(0.9, STAY_RATE_FACTOR * rate * case.uptake / 1000)) ** years):
                yield from _stay(case, draw_day(case.rng, first, last), condition)


def _stay(case: CareCase, start: date, condition: dict[str, Any]) -> Iterator[DocumentDraft]:
    """Yield the documents of a stay: imaging, analyses, operation, discharge letter, the consultation afterwards."""
    end = start + timedelta(days=case.rng.randint(*condition["stay"]))
    authorship = case.find_author(condition["speciality"])
    if authorship.organization.kind != "hospital":
        authorship = case.find_author("internal_medicine")
    if "imaging" in condition:
        yield document_content.draft_imaging_report(
            case, start, condition["imaging"], abnormal=condition["icd10"][0] != "O"
        )
    if case.draw_bool(0.6):
        yield document_content.draft_laboratory_report(
            case, start, "infection" if condition["icd10"][0] in "JKN" else "blood_count"
        )
    if "operation" in condition:
        yield document_content.draft_operation_report(case, min(start + timedelta(days=1), end), condition, authorship)
    yield document_content.draft_discharge_letter(case, start, end, condition, authorship)
    if case.draw_bool(0.6):
        yield document_content.draft_consultation_report(
            case, end + timedelta(days=case.rng.randint(20, 45)), condition, authorship
        )
    if condition["medicines"] and case.draw_bool(0.5):
        yield document_content.draft_prescription(case, end, condition["medicines"], authorship)


def _prevention(case: CareCase, doses: dict[str, tuple[VaccineDose, ...]]) -> Iterator[DocumentDraft]:
    """Yield check-ups, mammographies, and the vaccination history after doses."""
    born = case.citizen.person.birth_date
    adult = max(case.first, years_before(born, -18))
    for day in spaced_days(case.rng, adult, case.last, case.interval(1000)):
        yield document_content.draft_laboratory_report(case, day, "check_up")
    if case.citizen.person.sex == "female":
        first, last = max(case.first, years_before(born, -50)), min(case.last, years_before(born, -70))
        for day in spaced_days(case.rng, first, last, 730):
            if case.draw_bool(0.55):
                yield document_content.draft_imaging_report(case, day, "mammography", abnormal=case.draw_bool(0.06))
    authors = [
        case.general_practitioner,
        case.find_author("public_health"),
        case.find_author(at="prevention", profession="nurse"),
    ]
    for dose in doses["fr"]:
        if case.first <= dose.day <= case.last and case.draw_bool(0.22):
            authorship = case.rng.choice(authors)
            language = case.draw_language(authorship, phrase_languages("vaccination.source"))
            known = tuple(given for given in doses[language] if given.day <= dose.day)
            yield document_content.draft_vaccination_history(case, dose.day, known, authorship, language)


def _own_documents(case: CareCase) -> Iterator[DocumentDraft]:
    """Yield the documents that patients write themselves."""
    adult = max(case.first, years_before(case.citizen.person.birth_date, -20))
    if case.citizen.showcase or case.draw_bool(0.1):
        for day in spaced_days(case.rng, adult, case.last, 900):
            yield document_content.draft_own_note(case, day)
    age = age_on(case.citizen.person.birth_date, case.last)
    if age >= 55 and case.draw_bool(1 if case.citizen.showcase else 0.12):
        yield document_content.draft_advance_directive(case, draw_day(case.rng, case.first, case.last))


def _summaries(case: CareCase, doses: dict[str, tuple[VaccineDose, ...]]) -> Iterator[DocumentDraft]:
    """Yield patient summaries, renewed about every three years, mostly for those with a lasting condition."""
    if not case.citizen.showcase and not case.draw_bool(min(0.7, 0.2 + 0.2 * len(case.citizen.conditions))):
        return
    names = list(load_table("titles")["allergen"])
    allergens = case.rng.sample(names, case.rng.choice((0, 0, 1, 1, 2)))
    for day in spaced_days(case.rng, case.first, case.last, 1100):
        yield document_content.draft_patient_summary(case, day, allergens, doses)


def _doses(case: CareCase) -> dict[str, tuple[VaccineDose, ...]]:
    """Return the administered doses by time, with names in each language."""
    given = [
        (day, lot, entry)
        for entry in load_table("vaccines")["vaccine"]
        if case.draw_bool(entry["share"])
        for day, lot in _administrations(case, entry)
        if day <= case.last
    ]
    given.sort(key=lambda dose: (dose[0], dose[1]))
    return {
        language: tuple(
            VaccineDose(atc=entry["atc"], name=entry["name"][language], day=day, lot=lot) for day, lot, entry in given
        )
        for language in LANGUAGES
    }


def _administrations(case: CareCase, entry: dict[str, Any]) -> Iterator[tuple[date, str]]:
    born = case.citizen.person.birth_date
    if born.year >= 1995:
        for months in entry.get("months", ()):
            yield born + timedelta(days=round(months * 30.44) + case.rng.randint(0, 20)), _draw_lot(case)
    if "every" in entry:
        start = date(2015, 10, 1) if entry["every"] == 1 else years_before(case.last, 22)
        for day in spaced_days(
            case.rng, max(start, years_before(born, -entry["from"])), case.last, 365 * entry["every"]
        ):
            yield day, _draw_lot(case)


def _draw_lot(case: CareCase) -> str:
    letters = "".join(case.rng.choices("ABCDEFGHJKLMNPRSTUVWX", k=2))
    return f"{letters}{case.rng.randrange(1000, 9999)}"
