"""What a person's observations mean: relevant series, immunity, contraindications (sections 5.1, 7.2 and 7.3)."""

from dataclasses import dataclass

from esante.services.vaccination.forecast.durations import Duration
from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.rules.model import Antigen, Series, SeriesKind


@dataclass(frozen=True, slots=True)
class AntigenConditions:
    """What holds for all series of an antigen: the rules of immunity and of a contraindication, if any.

    `vaccines`: contraindicated vaccines with their rule. `texts`: what the clinician has to judge.
    """

    immune: str | None
    contraindicated: str | None
    vaccines: dict[int, str]
    texts: tuple[str, ...]


def relevant_series(antigen: Antigen, person: Person) -> list[Series]:
    """Return the series of an antigen that are for this person (section 5.1)."""
    return [series for series in antigen.series if _is_for(series, person)]


def _is_for(series: Series, person: Person) -> bool:
    if series.genders and person.patient.gender not in series.genders:
        return False
    if series.kind is not SeriesKind.RISK:
        return True
    return bool(person.active) and any(
        one.observation in person.active and _at_age(person, one.begin, one.end) for one in series.indications
    )


def unresolved_indications(antigen: Antigen, person: Person) -> list[str]:
    """Return the texts of indications of which it is not known whether they apply."""
    if not person.uncertain:
        return []
    return [
        one.text
        for series in antigen.series
        for one in series.indications
        if one.observation in person.uncertain and _at_age(person, one.begin, one.end)
    ]


def indication_texts(series: Series, person: Person) -> list[str]:
    """Return the texts of the indications that make a series relevant."""
    return [one.text for one in series.indications if one.text and one.observation in person.active]


def conditions_of(antigen: Antigen, person: Person) -> AntigenConditions:
    """Return what the person's observations mean for an antigen."""
    against = [one for one in antigen.contraindications if _applies(person, one.observation, one.begin, one.end)]
    vaccines: dict[int, str] = {}
    texts = [one.text for one in against]
    for one in antigen.vaccine_contraindications:
        if _applies(person, one.observation, one.begin, one.end):
            texts.append(one.text)
            vaccines |= {row.cvx: one.rule for row in one.vaccines if _at_age(person, row.begin, row.end)}
    if person.uncertain:
        possible = (*antigen.contraindications, *antigen.vaccine_contraindications)
        texts += [one.text for one in possible if one.observation in person.uncertain]
    return AntigenConditions(
        immune=_immunity(antigen, person),
        contraindicated=against[0].rule if against else None,
        vaccines=vaccines,
        texts=tuple(dict.fromkeys(filter(None, texts))),
    )


def all_contraindicated(series: Series, vaccines: dict[int, str]) -> str | None:
    """Return the rule when every preferable vaccine of a series is contraindicated, or None (table 7-7)."""
    if not vaccines:
        return None
    preferable = {row.cvx for dose in series.doses for row in dose.preferable}
    return vaccines[min(preferable)] if preferable and preferable <= vaccines.keys() else None


def _immunity(antigen: Antigen, person: Person) -> str | None:
    for code, rule in antigen.immunity.items():
        if code in person.ever:
            return rule
    for one in antigen.birth_immunity:
        if (
            person.birth < one.before
            and not one.exclusions & person.active.keys()
            and (not one.country or _country(one.country) == _country(person.patient.birth_country or ""))
        ):
            return one.rule
    return None


def _country(name: str) -> str:
    """Return one form of the names of a country: data write "U.S.", records "US" or "USA"."""
    letters = "".join(filter(str.isalpha, name)).upper()
    return "US" if letters == "USA" else letters


def _applies(person: Person, code: str, begin: Duration | None, end: Duration | None) -> bool:
    return code in person.active and _at_age(person, begin, end)


def _at_age(person: Person, begin: Duration | None, end: Duration | None) -> bool:
    return person.ages[begin] <= person.on < person.ages.until(end)
