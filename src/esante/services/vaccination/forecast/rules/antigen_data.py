"""An antigen's file of supporting data: its series with their target doses, immunity, contraindications."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from esante.services.vaccination.forecast.durations import FIRST_DAY, LAST_DAY, NOTHING
from esante.services.vaccination.forecast.rules.errors import RulesError
from esante.services.vaccination.forecast.rules.model import (
    AgeRow,
    Antigen,
    BirthImmunity,
    Comparison,
    ConditionKind,
    Contraindication,
    Indication,
    IntervalFrom,
    IntervalRow,
    Rule,
    Season,
    Series,
    SeriesKind,
    Skip,
    SkipCondition,
    SkipSet,
    TargetDose,
    VaccineRow,
)
from esante.services.vaccination.forecast.rules.xml_reader import Node, read_xml

_YES = {"yes": True, "y": True, "no": False, "n": False}
_EVERY = {"and": True, "or": False}
_KINDS = {kind.value.lower(): kind for kind in SeriesKind}
_CONTEXTS = {"both": (True, True), "evaluation": (True, False), "forecast": (False, True)}
_COMPARISONS = {
    "greater than": Comparison.GREATER,
    "equal to": Comparison.EQUAL,
    "equal": Comparison.EQUAL,
    "less than": Comparison.LESS,
}
_CONDITIONS = {
    "age": ConditionKind.AGE,
    "interval": ConditionKind.INTERVAL,
    "completed series": ConditionKind.COMPLETED_SERIES,
    "vaccine count by age": ConditionKind.VACCINE_COUNT,
    "vaccine count by date": ConditionKind.VACCINE_COUNT,
    "vaccine count by date and age": ConditionKind.VACCINE_COUNT,
    "vaccine count by age and date": ConditionKind.VACCINE_COUNT,
}
_LAST = 10**6
"""The preference of a series without one."""


@dataclass(slots=True)
class AntigenFile:
    """A file while it is read: `rules` collects the rule of every row."""

    path: Path
    release: str
    rules: dict[str, Rule] = field(default_factory=dict)
    antigen: str = ""

    def note(self, node: Node, *place: object, text: str = "") -> str:
        """Return the id of the rule at a place in the antigen's file."""
        id = "/".join(map(str, ("cdsi", self.antigen, *place)))
        source = f"CDSi supporting data {self.release}, {self.path.name}, line {node.line}"
        self.rules[id] = Rule(id, source, verified=True, text=text)
        return id


def read_antigen(path: Path, release: str, rules: dict[str, Rule]) -> Antigen:
    """Return the antigen of a file; `rules` gets its rules. Raises: RulesError."""
    root = read_xml(path, "antigenSupportingData")
    nodes = list(root.children("series"))
    if not nodes:
        raise RulesError(path, None, "has no series")
    file = AntigenFile(path, release, rules, nodes[0].required("targetDisease"))
    series = [_read_series(file, node, number) for number, node in enumerate(nodes, 1)]
    return Antigen(
        name=file.antigen,
        series=in_order_of_evaluation(series),
        immunity={
            one.required("guidelineCode"): file.note(one, "immunity", one.required("guidelineCode"))
            for one in root.children("immunity", "clinicalHistory")
        },
        birth_immunity=tuple(_read_birth(file, one) for one in root.children("immunity", "dateOfBirth")),
        contraindications=_read_contraindications(file, root, "vaccineGroup"),
        vaccine_contraindications=_read_contraindications(file, root, "vaccine"),
    )


def in_order_of_evaluation(series: Iterable[Series]) -> tuple[Series, ...]:
    """Return the series, those of the groups that other series ask about first (condition "completed series")."""
    series = list(series)
    asked = {
        condition.series_group
        for one in series
        for dose in one.doses
        for skip in (*dose.evaluation_skips, *dose.forecast_skips)
        for each in skip.sets
        for condition in each.conditions
        if condition.kind is ConditionKind.COMPLETED_SERIES
    }
    return tuple(sorted(series, key=lambda one: one.series_group not in asked))


def _read_birth(file: AntigenFile, node: Node) -> BirthImmunity:
    return BirthImmunity(
        rule=file.note(node, "immunity", "birth"),
        before=node.day("immunityBirthDate", 0),
        country=node.text("birthCountry"),
        exclusions=frozenset(one.required("exclusionCode") for one in node.children("exclusion")),
    )


def _read_contraindications(file: AntigenFile, root: Node, level: str) -> tuple[Contraindication, ...]:
    found = []
    for number, node in enumerate(root.children("contraindications", level, "contraindication"), 1):
        code, text = node.required("observationCode"), node.text("contraindicationText")
        found.append(
            Contraindication(
                rule=file.note(node, "contraindication", level, number, text=text),
                observation=code,
                text=text,
                begin=node.duration("beginAge"),
                end=node.duration("endAge"),
                vaccines=tuple(
                    VaccineRow("", one.cvx(), one.duration("beginAge"), one.duration("endAge"))
                    for one in node.children("contraindicatedVaccine")
                ),
            )
        )
    return tuple(found)


def _read_series(file: AntigenFile, node: Node, number: int) -> Series:
    if node.required("targetDisease") != file.antigen:
        raise node.error(f"the file is about {file.antigen}, this series about {node.text('targetDisease')}")
    select = node.child("selectSeries")
    doses = tuple(
        _read_dose(file, one, number, dose_number) for dose_number, one in enumerate(node.children("seriesDose"), 1)
    )
    if not doses:
        raise node.error(f"the series {node.text('seriesName')} has no dose")
    equivalent = node.text("equivalentSeriesGroups").replace(",", ";")
    return Series(
        rule=file.note(node, number, text=node.text("seriesName")),
        name=node.required("seriesName"),
        antigen=file.antigen,
        group=node.required("vaccineGroup"),
        kind=node.word("seriesType", _KINDS, SeriesKind.STANDARD),
        doses=doses,
        genders=frozenset(text.lower() for text in node.texts("requiredGender")),
        series_group=select.required("seriesGroup"),
        equivalent=frozenset(part.strip() for part in equivalent.split(";") if part.strip()),
        default=select.word("defaultSeries", _YES, default=False),
        product_path=select.word("productPath", _YES, default=False),
        priority=select.text("seriesPriority") or "Z",
        preference=select.number("seriesPreference", _LAST),
        maximum_start=select.duration("maxAgeToStart"),
        indications=tuple(
            _read_indication(file, one, number, place) for place, one in enumerate(node.children("indication"), 1)
        ),
        guidance=node.texts("seriesAdminGuidance"),
    )


def _read_indication(file: AntigenFile, node: Node, series: int, number: int) -> Indication:
    text = node.text("description")
    return Indication(
        rule=file.note(node, series, "indication", number, text=text),
        observation=node.child("observationCode").required("code"),
        text=text,
        begin=node.duration("beginAge"),
        end=node.duration("endAge"),
    )


def _read_dose(file: AntigenFile, node: Node, series: int, number: int) -> TargetDose:
    said = node.required("doseNumber")
    if said.rpartition(" ")[2] != str(number):
        raise node.error(f'the doses of a series are numbered from 1, and "{said}" stands at place {number}')
    place = (series, number)
    skips = [_read_skip(file, one, place, count) for count, one in enumerate(node.children("conditionalSkip"), 1)]
    return TargetDose(
        rule=file.note(node, *place),
        number=number,
        ages=tuple(_read_age(file, one, place, count) for count, one in enumerate(node.children("age"), 1)),
        intervals=_read_intervals(file, node, place, "interval"),
        allowable_intervals=_read_intervals(file, node, place, "allowableInterval"),
        preferable=_read_vaccines(file, node, place, "preferableVaccine"),
        allowable=_read_vaccines(file, node, place, "allowableVaccine"),
        inadvertent=frozenset(one.cvx() for one in node.children("inadvertentVaccine")),
        evaluation_skips=tuple(skip for skip in skips if skip.in_evaluation),
        forecast_skips=tuple(skip for skip in skips if skip.in_forecast),
        recurring=node.word("recurringDose", _YES, default=False),
        season=_read_season(file, node, place),
    )


def _read_age(file: AntigenFile, node: Node, place: tuple[int, int], count: int) -> AgeRow:
    return AgeRow(
        rule=file.note(node, *place, "age", count),
        absolute_minimum=node.duration("absMinAge"),
        minimum=node.duration("minAge"),
        earliest_recommended=node.duration("earliestRecAge"),
        latest_recommended=node.duration("latestRecAge"),
        maximum=node.duration("maxAge"),
        effective=node.day("effectiveDate", FIRST_DAY),
        cessation=node.day("cessationDate", LAST_DAY),
    )


def _read_intervals(file: AntigenFile, node: Node, place: tuple[int, int], tag: str) -> tuple[IntervalRow, ...]:
    return tuple(
        _read_interval(one, file.note(one, *place, tag, count)) for count, one in enumerate(node.children(tag), 1)
    )


def _read_interval(node: Node, rule: str) -> IntervalRow:
    start, target, observation = IntervalFrom.PREVIOUS, 0, ""
    vaccines = node.cvx_list("fromMostRecent")
    for relevant in node.children("fromRelevantObs"):
        observation = relevant.text("code")
    if not node.word("fromPrevious", _YES, default=False):
        if node.text("fromTargetDose"):
            start, target = IntervalFrom.TARGET_DOSE, node.number("fromTargetDose")
        elif vaccines:
            start = IntervalFrom.MOST_RECENT
        elif observation:
            start = IntervalFrom.OBSERVATION
        else:
            raise node.error("an interval does not say from what it is measured")
    return IntervalRow(
        rule=rule,
        start=start,
        target=target,
        vaccines=vaccines,
        observation=observation,
        absolute_minimum=node.duration("absMinInt"),
        minimum=node.duration("minInt"),
        earliest_recommended=node.duration("earliestRecInt"),
        latest_recommended=node.duration("latestRecInt"),
        priority=node.text("intervalPriority").lower() in ("override", "y", "yes"),
        effective=node.day("effectiveDate", FIRST_DAY),
        cessation=node.day("cessationDate", LAST_DAY),
    )


def _read_vaccines(file: AntigenFile, node: Node, place: tuple[int, int], tag: str) -> tuple[VaccineRow, ...]:
    return tuple(
        VaccineRow(
            rule=file.note(one, *place, tag, count, text=one.text("vaccineType")),
            cvx=one.cvx(),
            begin=one.duration("beginAge"),
            end=one.duration("endAge"),
            trade_name=one.text("tradeName"),
            mvx=one.text("mvx").upper(),
            volume=one.amount("volume"),
            recommended=one.word("forecastVaccineType", _YES, default=False),
        )
        for count, one in enumerate(node.children(tag), 1)
    )


def _read_skip(file: AntigenFile, node: Node, place: tuple[int, int], count: int) -> Skip:
    in_evaluation, in_forecast = node.word("context", _CONTEXTS)
    sets = []
    for number, one in enumerate(node.children("set"), 1):
        conditions = tuple(_read_condition(each) for each in one.children("condition"))
        if not conditions:
            raise one.error("a set of a skip has no condition")
        sets.append(
            SkipSet(
                rule=file.note(one, *place, "skip", count, number, text=one.text("setDescription")),
                every=one.word("conditionLogic", _EVERY, default=True),
                conditions=conditions,
                effective=one.day("effectiveDate", FIRST_DAY),
                cessation=one.day("cessationDate", LAST_DAY),
            )
        )
    if not sets:
        raise node.error("a skip has no set")
    return Skip(in_evaluation, in_forecast, node.word("setLogic", _EVERY, default=True), tuple(sets))


def _read_condition(node: Node) -> SkipCondition:
    kind = node.word("conditionType", _CONDITIONS)
    counts = kind is ConditionKind.VACCINE_COUNT
    return SkipCondition(
        kind=kind,
        begin=node.duration("beginAge"),
        end=node.duration("endAge"),
        start_date=node.day("startDate", FIRST_DAY),
        end_date=node.day("endDate", LAST_DAY),
        interval=(node.duration("interval") if kind is ConditionKind.INTERVAL else None) or NOTHING,
        count=node.number("doseCount") if counts else 0,
        comparison=node.word("doseCountLogic", _COMPARISONS) if counts else Comparison.GREATER,
        valid_only=node.text("doseType").lower() == "valid",
        vaccines=node.cvx_list("vaccineTypes"),
        series_group=node.required("seriesGroups") if kind is ConditionKind.COMPLETED_SERIES else "",
    )


def _read_season(file: AntigenFile, node: Node, place: tuple[int, int]) -> Season | None:
    for one in node.children("seasonalRecommendation"):
        start, end = one.day("startDate", FIRST_DAY), one.day("endDate", LAST_DAY)
        if (start, end) != (FIRST_DAY, LAST_DAY):
            return Season(file.note(one, *place, "season"), start, end)
    return None
