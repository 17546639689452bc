"""How care goes over the years: what happens to a person, and which papers that leaves."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from esante.demo.data_tables import LANGUAGES, languages_of, table
from esante.demo.documents import document_content
from esante.demo.documents.care_case import Case
from esante.demo.model import Citizen, Dose, Paper, World
from esante.demo.seeded_random import age_on, apart, day_between, years_before

HOSPITAL = 2.6
"""The rates of the data are those of single diagnoses; this stands for all that are not listed."""


def period(world: World, citizen: Citizen) -> tuple[date, date] | None:
    """The days on which a record takes documents in: from its opening until closing, death or today."""
    if citizen.state not in ("open", "closed"):
        return None
    ends = [end.date() for end in (citizen.ended_at, citizen.person.deceased_at) if end]
    first, last = (citizen.announced_at + timedelta(days=31)).date(), min([world.day, *ends]) - timedelta(days=1)
    return (first, last) if first < last else None


def papers(world: World, citizen: Citizen) -> list[Paper]:
    """Every paper of a person, by time."""
    days = period(world, citizen)
    if days is None:
        return []
    case = Case(world, citizen, *days)
    doses = _doses(case)
    found = [*_lasting(case), *_stays(case), *_prevention(case, doses), *_own(case), *_summaries(case, doses)]
    return sorted((paper for paper in found if case.first <= paper.at.date() <= case.last), key=lambda paper: paper.at)


def _lasting(case: Case) -> Iterator[Paper]:
    """Follow-up of lasting conditions: analyses, consultations, prescriptions, letters."""
    for name, since in case.citizen.conditions.items():
        condition = table("conditions")["chronic"][name]
        first = max(case.first, since)
        for day in apart(case.chance, first, case.last, case.spaced(600)):
            yield document_content.laboratory(case, day, condition["panel"])
        yield from _visits(case, name, condition, first)
        if condition["medicines"]:
            for day in apart(case.chance, first, case.last, case.spaced(820)):
                yield document_content.prescription(case, day, condition["medicines"], case.gp)
        if "radiotherapy" in condition:
            for wait in (30, 62, 100, 200, 380, 740):
                yield document_content.radiotherapy(case, since + timedelta(days=wait), condition)


def _visits(case: Case, name: str, condition: dict[str, Any], first: date) -> Iterator[Paper]:
    specialist = case.hand(condition["speciality"])
    for day in apart(case.chance, first, case.last, case.spaced(760)):
        if case.happens(0.4):
            yield document_content.letter(case, day - timedelta(days=case.chance.randint(8, 40)), condition)
        yield document_content.consultation(case, day, condition, specialist if case.happens(0.7) else case.gp)
        if condition["speciality"] == "cardiology" and case.happens(0.06 if not case.citizen.rich else 0.3):
            yield document_content.electrocardiogram(case, day, specialist)
        if name == "back_pain" and case.happens(0.35):
            yield document_content.imaging(case, day + timedelta(days=9), "spine_mri", abnormal=case.happens(0.6))


def _stays(case: Case) -> Iterator[Paper]:
    """Stays in hospital, by age and sex."""
    born = case.citizen.person.birth_date
    for name, start in case.citizen.stays.items():
        yield from _stay(case, start, table("conditions")["acute"][name])
    for condition in table("conditions")["acute"].values():
        if condition.get("sex", case.citizen.person.sex) != case.citizen.person.sex:
            continue
        for low, high, rate in condition["ages"]:
            first = max(case.first, years_before(born, -low))
            last = min(case.last, years_before(born, -high))
            years = (last - first).days / 365.25
            if years > 0 and case.happens(1 - (1 - min(0.9, HOSPITAL * rate * case.uptake / 1000)) ** years):
                yield from _stay(case, day_between(case.chance, first, last), condition)


def _stay(case: Case, start: date, condition: dict[str, Any]) -> Iterator[Paper]:
    """One stay: pictures and analyses, the operation, the letter, the visit afterwards."""
    end = start + timedelta(days=case.chance.randint(*condition["stay"]))
    hand = case.hand(condition["speciality"])
    if hand.organization.kind != "hospital":
        hand = case.hand("internal_medicine")
    if "imaging" in condition:
        yield document_content.imaging(case, start, condition["imaging"], abnormal=condition["icd10"][0] != "O")
    if case.happens(0.6):
        yield document_content.laboratory(
            case, start, "infection" if condition["icd10"][0] in "JKN" else "blood_count"
        )
    if "operation" in condition:
        yield document_content.operation(case, min(start + timedelta(days=1), end), condition, hand)
    yield document_content.discharge(case, start, end, condition, hand)
    if case.happens(0.6):
        yield document_content.consultation(case, end + timedelta(days=case.chance.randint(20, 45)), condition, hand)
    if condition["medicines"] and case.happens(0.5):
        yield document_content.prescription(case, end, condition["medicines"], hand)


def _prevention(case: Case, doses: dict[str, tuple[Dose, ...]]) -> Iterator[Paper]:
    """Check-ups, mammographies, and the vaccination history after doses."""
    born = case.citizen.person.birth_date
    adult = max(case.first, years_before(born, -18))
    for day in apart(case.chance, adult, case.last, case.spaced(1000)):
        yield document_content.laboratory(case, day, "check_up")
    if case.citizen.person.sex == "female":
        first, last = max(case.first, years_before(born, -50)), min(case.last, years_before(born, -70))
        for day in apart(case.chance, first, last, 730):
            if case.happens(0.55):
                yield document_content.imaging(case, day, "mammography", abnormal=case.happens(0.06))
    hands = [case.gp, case.hand("public_health"), case.hand(at="prevention", profession="nurse")]
    for dose in doses["fr"]:
        if case.first <= dose.day <= case.last and case.happens(0.22):
            hand = case.chance.choice(hands)
            language = case.language(hand, languages_of("vaccination.source"))
            known = tuple(given for given in doses[language] if given.day <= dose.day)
            yield document_content.vaccination(case, dose.day, known, hand, language)


def _own(case: Case) -> Iterator[Paper]:
    """What patients write themselves."""
    adult = max(case.first, years_before(case.citizen.person.birth_date, -20))
    if case.citizen.rich or case.happens(0.1):
        for day in apart(case.chance, adult, case.last, 900):
            yield document_content.own_note(case, day)
    age = age_on(case.citizen.person.birth_date, case.last)
    if age >= 55 and case.happens(1 if case.citizen.rich else 0.12):
        yield document_content.directive(case, day_between(case.chance, case.first, case.last))


def _summaries(case: Case, doses: dict[str, tuple[Dose, ...]]) -> Iterator[Paper]:
    """The general practitioner's summary, renewed now and then, for those with a lasting condition."""
    if not case.citizen.rich and not case.happens(min(0.7, 0.2 + 0.2 * len(case.citizen.conditions))):
        return
    names = list(table("titles")["allergen"])
    allergens = case.chance.sample(names, case.chance.choice((0, 0, 1, 1, 2)))
    for day in apart(case.chance, case.first, case.last, 1100):
        yield document_content.summary(case, day, allergens, doses)


def _doses(case: Case) -> dict[str, tuple[Dose, ...]]:
    """The doses that a person had, by time, named in each language."""
    given = [
        (day, lot, entry)
        for entry in table("vaccines")["vaccine"]
        if case.happens(entry["share"])
        for day, lot in _given(case, entry)
        if day <= case.last
    ]
    given.sort(key=lambda dose: (dose[0], dose[1]))
    return {
        language: tuple(
            Dose(atc=entry["atc"], name=entry["name"][language], day=day, lot=lot) for day, lot, entry in given
        )
        for language in LANGUAGES
    }


def _given(case: Case, entry: dict[str, Any]) -> Iterator[tuple[date, str]]:
    born = case.citizen.person.birth_date
    if born.year >= 1995:
        for months in entry.get("months", ()):
            yield born + timedelta(days=round(months * 30.44) + case.chance.randint(0, 20)), _lot(case)
    if "every" in entry:
        start = date(2015, 10, 1) if entry["every"] == 1 else years_before(case.last, 22)
        for day in apart(case.chance, max(start, years_before(born, -entry["from"])), case.last, 365 * entry["every"]):
            yield day, _lot(case)


def _lot(case: Case) -> str:
    letters = "".join(case.chance.choices("ABCDEFGHJKLMNPRSTUVWX", k=2))
    return f"{letters}{case.chance.randrange(1000, 9999)}"
