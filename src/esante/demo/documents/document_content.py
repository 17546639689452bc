"""The kinds of papers: what stands in a discharge letter, a laboratory report, an advance directive…"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from esante.demo.data_tables import languages_of, named, phrase, table, word
from esante.demo.documents.care_case import Case, Hand
from esante.demo.documents.table_rows import day_text
from esante.demo.model import Allergy, Dose, Medicine, Paper, Problem, Procedure, Result, Section
from esante.demo.seeded_random import moment

Entry = Mapping[str, Any]


def medicines(names: list[str], language: str, *, ordered: bool = False) -> tuple[Medicine, ...]:
    """Medicines of `medicines.toml`, with the way to take them in words."""
    return tuple(_medicine(table("medicines")[name], language, ordered) for name in dict.fromkeys(names))


def _medicine(entry: Entry, language: str, ordered: bool) -> Medicine:
    dose = entry["dose"] or word("word.weekly" if entry["atc"].startswith("M05") else "word.as_needed", language)
    if "days" in entry:
        dose = f"{dose} {word('word.days', language).format(n=entry['days'])}"
    return Medicine(atc=entry["atc"], name=f"{named(entry, language)} {entry['form']}", dose=dose, ordered=ordered)


def vitals(case: Case) -> dict[str, int]:
    """Blood pressure and pulse as they are measured today."""
    high = "hypertension" in case.citizen.conditions
    return {
        "systolic": case.chance.randint(128, 158) if high else case.chance.randint(108, 134),
        "diastolic": case.chance.randint(78, 96) if high else case.chance.randint(64, 84),
        "pulse": case.chance.randint(56, 92),
    }


def laboratory(case: Case, day: date, panel: str) -> Paper:
    """A laboratory report of a panel."""
    place = case.chance.choice(("lab-moselle", "lab-alzette"))
    hand = case.hand("medical_biology", at=place, profession="lab_biologist")
    language = case.language(hand, languages_of("laboratory.comment"))
    taken = moment(case.chance, day, (7, 10))
    results = case.laboratory.panel(case.chance, panel, taken, language)
    comment = phrase(case.chance, "laboratory.comment", language)
    sections = (Section(code="26436-6", facts=results), Section(code="48767-8", text=(comment,)))
    return case.paper("laboratory", taken + timedelta(hours=case.chance.randint(4, 9)), hand, sections, language)


def consultation(case: Case, day: date, condition: Entry, hand: Hand) -> Paper:
    """A specialist's or general practitioner's report on a condition."""
    language = case.language(hand, languages_of("consultation.reason"))
    name = named(condition, language)
    fill = {"dx": name, **vitals(case)}
    sections = tuple(
        Section(code=code, text=(phrase(case.chance, f"consultation.{part}", language, **fill),))
        for code, part in (("29299-5", "reason"), ("29545-1", "findings"), ("51847-2", "plan"))
    )
    return case.paper("consultation", day, hand, sections, language, name)


def radiotherapy(case: Case, day: date, condition: Entry) -> Paper:
    """A report of the radiotherapy centre, with the doses given."""
    hand = case.hand("radiotherapy", at="radiotherapy")
    language = case.language(hand, languages_of("radiotherapy.reason"))
    course, name = condition["radiotherapy"], named(condition, language)
    per = course["dose"] / course["fractions"]
    fill = {"dx": name, "site": course["site"][language], "per": f"{per:g}"}
    fill |= {"dose": course["dose"], "fractions": course["fractions"]}
    sections = tuple(
        Section(code=code, text=(phrase(case.chance, f"radiotherapy.{part}", language, **fill),))
        for code, part in (("29299-5", "reason"), ("29545-1", "findings"), ("51847-2", "plan"))
    )
    return case.paper("radiotherapy", day, hand, sections, language, name)


def imaging(case: Case, day: date, examination: str, *, abnormal: bool) -> Paper:
    """A report of the imaging centre."""
    entry = table("imaging")[examination]
    hand = case.hand("radiology", at="imaging")
    language = case.language(hand, ("fr", "de", "en"))
    findings, impression = entry["abnormal" if abnormal else "normal"][language]
    done = Procedure(name=named(entry, language), at=moment(case.chance, day))
    sections = (
        Section(code="55111-9", text=(entry["technique"][language],), facts=(done,)),
        Section(code="18782-3", text=(findings,)),
        Section(code="19005-8", text=(impression,)),
    )
    return case.paper("imaging", done.at, hand, sections, language, done.name)


def operation(case: Case, day: date, condition: Entry, hand: Hand) -> Paper:
    """A surgeon's report."""
    language = case.language(hand, languages_of("operation.plan"))
    done = Procedure(name=condition["operation"][language], at=moment(case.chance, day, (8, 16)))
    minutes = case.chance.randrange(25, 130, 5)
    described = phrase(case.chance, "operation.description", language, operation=done.name, minutes=minutes)
    sections = (
        Section(code="10219-4", facts=(_problem(condition, language, day),)),
        Section(code="59772-4", text=(phrase(case.chance, "operation.preparation", language),)),
        Section(code="29554-3", text=(described,), facts=(done,)),
        Section(code="18776-5", text=(phrase(case.chance, "operation.plan", language),)),
    )
    return case.paper("operation", done.at, hand, sections, language, done.name)


def discharge(case: Case, start: date, end: date, condition: Entry, hand: Hand) -> Paper:
    """A hospital's letter at the end of a stay."""
    language = case.language(hand, languages_of("discharge.reason"))
    name = named(condition, language)
    fill = {"start": day_text(start, language), "end": day_text(end, language), "dx": name}
    reason, state, plan = (
        phrase(case.chance, f"discharge.{part}", language, **fill) for part in ("reason", "state", "plan")
    )
    lasting = [entry for known in conditions_at(case, end).values() for entry in known["medicines"]]
    sections = (
        Section(code="46241-6", text=(reason,)),
        Section(code="8648-8", text=(condition["course"][language], state)),
        Section(code="11535-2", facts=(_problem(condition, language, start),)),
        Section(code="10183-2", facts=medicines([*condition["medicines"], *lasting], language)),
        Section(code="18776-5", text=(plan,)),
    )
    told = tuple(section for section in sections if section.text or section.facts)
    return case.paper("discharge", moment(case.chance, end, (11, 18)), hand, told, language, name)


def prescription(case: Case, day: date, names: list[str], hand: Hand) -> Paper:
    """An order for medicines."""
    language = case.language(hand, languages_of("prescription.advice"))
    advice = phrase(case.chance, "prescription.advice", language)
    ordered = medicines(names, language, ordered=True)
    return case.paper("prescription", day, hand, (Section(code="57828-6", text=(advice,), facts=ordered),), language)


def letter(case: Case, day: date, condition: Entry) -> Paper:
    """The general practitioner's letter to a specialist."""
    hand = case.gp
    language = case.language(hand, languages_of("letter.more"))
    name = named(condition, language)
    body = [text.format(dx=name) for text in table("phrases")["letter"]["body"][language]]
    more = phrase(case.chance, "letter.more", language)
    sections = (Section(code="51852-2", text=(*body, more, hand.author.name)),)
    return case.paper("letter", day, hand, sections, language, name)


def vaccination(case: Case, day: date, doses: tuple[Dose, ...], hand: Hand, language: str) -> Paper:
    """Every dose known on a day."""
    source = phrase(case.chance, "vaccination.source", language)
    return case.paper("vaccination", day, hand, (Section(code="11369-6", text=(source,), facts=doses),), language)


def summary(case: Case, day: date, allergens: list[str], doses: Mapping[str, tuple[Dose, ...]]) -> Paper:
    """The general practitioner's summary: problems, allergies, medicines, vaccinations, latest results."""
    hand = case.gp
    language = case.language(hand, languages_of("summary.care"))
    known = conditions_at(case, day)
    problems = tuple(_problem(entry, language, case.citizen.conditions[name]) for name, entry in known.items())
    taken = medicines([name for entry in known.values() for name in entry["medicines"]], language)
    allergies = tuple(
        Allergy(atc=entry["atc"], name=entry[language])
        for entry in (table("titles")["allergen"][name] for name in allergens)
    )
    none = () if allergies else (phrase(case.chance, "summary.none", language),)
    given = tuple(dose for dose in doses[language] if dose.day < day)[-6:]
    at = moment(case.chance, day)
    sections = (
        Section(code="11450-4", facts=problems),
        Section(code="48765-2", text=none, facts=allergies),
        Section(code="10160-0", facts=taken),
        Section(code="11369-6", facts=given),
        Section(code="30954-2", facts=_latest(case, at, language)),
        Section(code="29751-5", text=(phrase(case.chance, "summary.care", language, gp=hand.author.name),)),
    )
    told = tuple(section for section in sections if section.text or section.facts)
    return case.paper("summary", at, hand, told, language)


def own_note(case: Case, day: date) -> Paper:
    """What a patient writes for herself and her doctors."""
    language = case.language(None, languages_of("note.body"))
    text = phrase(case.chance, "note.body", language, **vitals(case))
    return case.paper(
        "note", moment(case.chance, day, (18, 22)), None, (Section(code="51855-5", text=(text,)),), language
    )


def directive(case: Case, day: date) -> Paper:
    """What a patient wants done when she can no longer say it."""
    language = case.language(None, languages_of("directive.body"))
    text = phrase(case.chance, "directive.body", language)
    return case.paper("directive", day, None, (Section(code="42348-3", text=(text,)),), language)


def electrocardiogram(case: Case, day: date, hand: Hand) -> Paper:
    """A strip of the heart's currents, as a picture."""
    return case.paper("ecg", day, hand, (), case.language(hand, ("fr", "de", "en", "lb")))


def conditions_at(case: Case, day: date) -> dict[str, Any]:
    """The lasting conditions known on a day, by name, as they stand in the data."""
    lasting = table("conditions")["chronic"]
    return {name: lasting[name] for name, since in case.citizen.conditions.items() if since <= day}


def _problem(condition: Entry, language: str, since: date) -> Problem:
    return Problem(icd10=condition["icd10"], name=named(condition, language), since=since)


def _latest(case: Case, at: datetime, language: str) -> tuple[Result, ...]:
    analytes = ["creatinine", "hemoglobin"] + (["hba1c"] if "diabetes" in case.citizen.conditions else [])
    taken = at - timedelta(days=case.chance.randint(3, 30))
    return tuple(case.laboratory.result(case.chance, analyte, taken, language) for analyte in analytes)
