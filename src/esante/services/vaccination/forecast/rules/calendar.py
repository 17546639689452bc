"""Loading a country's calendar: series and vaccines in TOML, in a form that expresses the model of the engine.

A calendar is a folder of the package's data: `calendar.toml` (when it is in force, its sources), `vaccines.toml`,
and files of series and observations. The newest one that begins on or before a day holds on it. A calendar that
contradicts itself is refused (`calendar_checks`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from esante.services.vaccination.forecast.durations import NOTHING
from esante.services.vaccination.forecast.rules.antigen_data import in_order_of_evaluation
from esante.services.vaccination.forecast.rules.calendar_checks import check_group, check_series
from esante.services.vaccination.forecast.rules.calendar_series import SeriesReader
from esante.services.vaccination.forecast.rules.calendar_sources import Sources
from esante.services.vaccination.forecast.rules.calendar_vaccines import CalendarVaccines
from esante.services.vaccination.forecast.rules.errors import RulesError
from esante.services.vaccination.forecast.rules.logic import LOGIC_RULES
from esante.services.vaccination.forecast.rules.model import (
    Antigen,
    BirthImmunity,
    Contraindication,
    RuleSet,
    Series,
)
from esante.services.vaccination.forecast.rules.toml_table import Table, read_toml

_PACKAGE = "esante.services.vaccination"
_CALENDAR, _VACCINES = "calendar.toml", "vaccines.toml"
_SNOMED = "SNOMED"


def load_calendar(country: str, on: date) -> RuleSet:
    """Return the calendar of a country in force on a day; before the first, the first. Raises: RulesError."""
    begins = sorted((_begins(name), name) for name in _calendars(country))
    if not begins:
        raise RulesError(country, None, "there is no calendar of this country")
    begun = [name for day, name in begins if day <= on]
    return _packaged_calendar(begun[-1] if begun else begins[0][1])


def _calendars(country: str) -> list[str]:
    folders = (files(_PACKAGE) / "data").iterdir()
    return [folder.name for folder in folders if folder.name.startswith(f"{country}-")]


def _texts(name: str) -> dict[str, str]:
    found = (files(_PACKAGE) / "data" / name).iterdir()
    return {file.name: file.read_text(encoding="utf-8") for file in found}


@cache
def _begins(name: str) -> date:
    return read_toml(f"{name}/{_CALENDAR}", _texts(name)[_CALENDAR]).get("valid_from", date)


@cache
def _packaged_calendar(name: str) -> RuleSet:
    return parse_calendar(name, _texts(name))


def parse_calendar(name: str, texts: Mapping[str, str]) -> RuleSet:
    """Return the rules of the texts of a calendar by file name. Raises: RulesError with file and row."""
    tables = {file: read_toml(f"{name}/{file}", text) for file, text in sorted(texts.items())}
    head, vaccines = tables[_CALENDAR], tables.pop(_VACCINES)
    begins = head.get("valid_from", date)
    sources = Sources(head, name.partition("-")[0])
    contents = CalendarVaccines(vaccines, sources)
    series = _read_series(tables.values(), SeriesReader(sources, contents, head.duration("grace") or NOTHING))
    antigens = _read_antigens(head, sources, series)
    observations, coded_values = _read_observations(tables.values())
    for table in tables.values():
        table.finish()
    _check_observations(head, antigens, observations)
    return RuleSet(
        name=f"{name} ({begins})",
        antigens=antigens,
        groups=tuple(contents.groups),
        vaccines=dict(contents.associations),
        conflicts=contents.conflicts,
        rules=LOGIC_RULES | sources.rules,
        observations=observations,
        coded_values=coded_values,
        vaccine_names=contents.names,
    )


def _read_series(tables: Iterable[Table], reader: SeriesReader) -> dict[str, list[Series]]:
    """Return the series by antigen, checked."""
    found: defaultdict[str, list[Series]] = defaultdict(list)
    rows: defaultdict[tuple[str, str], list[Table]] = defaultdict(list)
    names: set[str] = set()
    for row in (row for table in tables for row in table.tables("series")):
        if row.get("id", str) in names:
            raise row.error(f"there is a second series {row.get('id', str)}")
        names.add(row.get("id", str))
        for series in reader.read(row):
            check_series(row, series)
            found[series.antigen].append(series)
            rows[series.antigen, series.series_group].append(row)
    for (antigen, group), tables in rows.items():
        check_group(tables, [one for one in found[antigen] if one.series_group == group])
    return dict(found)


def _read_antigens(table: Table, sources: Sources, series: dict[str, list[Series]]) -> dict[str, Antigen]:
    immunity: defaultdict[str, dict[str, str]] = defaultdict(dict)
    births: defaultdict[str, list[BirthImmunity]] = defaultdict(list)
    against: defaultdict[str, list[Contraindication]] = defaultdict(list)
    for number, row in enumerate(table.tables("immunity"), 1):
        rule = sources.note(row, "immunity", number, text=row.get("label", str))
        for antigen in _known(row, series):
            immunity[antigen] |= dict.fromkeys(row.words("observations"), rule)
            if row.has("born_before"):
                births[antigen].append(BirthImmunity(rule, row.day("born_before"), "", frozenset()))
        row.finish()
    for number, row in enumerate(table.tables("contraindication"), 1):
        text, begin, end = row.get("label", str), row.duration("from"), row.duration("until")
        rule = sources.note(row, "contraindication", number, text=text)
        for antigen in _known(row, series):
            codes = row.words("observations")
            against[antigen] += [Contraindication(rule, code, text, begin, end) for code in codes]
        row.finish()
    return {
        name: Antigen(
            name=name,
            series=in_order_of_evaluation(members),
            immunity=immunity[name],
            birth_immunity=tuple(births[name]),
            contraindications=tuple(against[name]),
        )
        for name, members in series.items()
    }


def _known(row: Table, series: dict[str, list[Series]]) -> tuple[str, ...]:
    antigens = row.words("antigens")
    for antigen in antigens:
        if antigen not in series:
            raise row.error(f"there is no series against {antigen}")
    return antigens


def _read_observations(tables: Iterable[Table]) -> tuple[dict[str, str], dict[tuple[str, str], tuple[str, ...]]]:
    """Return the titles of observations, and the observations of coded values."""
    titles: dict[str, str] = {}
    coded: defaultdict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    for row in (row for table in tables for row in table.tables("observation")):
        code = row.get("code", str)
        if code in titles:
            raise row.error(f"the observation {code} is there twice")
        titles[code] = row.get("label", str)
        for concept in row.words("snomed"):
            coded[_SNOMED, concept] += (code,)
        row.finish()
    return titles, dict(coded)


def _check_observations(table: Table, antigens: dict[str, Antigen], known: dict[str, str]) -> None:
    """Raise RulesError when a rule is about an observation that the calendar does not explain."""
    used: set[str] = set()
    for antigen in antigens.values():
        used |= antigen.immunity.keys() | {one.observation for one in antigen.contraindications}
        for series in antigen.series:
            used |= {one.observation for one in series.indications}
            used |= {row.observation for dose in series.doses for row in dose.intervals if row.observation}
    unknown = used - known.keys()
    if unknown:
        raise table.error(f"there is no [[observation]] {', '.join(sorted(unknown))}")
