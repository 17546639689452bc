"""Cases in the column layout of the CDC's CDSi test cases, and how an advice agrees with them.

One row is one person and one vaccine group: doses with the evaluation expected of each, the status of the series, the
number and the dates of the next dose. A case agrees when all of them do.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count
from pathlib import Path

from esante.services.vaccination.forecast.engine import advise
from esante.services.vaccination.forecast.model import Dose, GroupAdvice, Observation, Patient
from esante.services.vaccination.forecast.rules import RuleSet

GROUP_NAMES = {
    "DTAP": "DTaP/Tdap/Td",
    "POL": "Polio",
    "PCV": "Pneumococcal",
    "VAR": "Varicella",
    "ROTA": "Rotavirus",
    "FLU": "Influenza",
    "MCV": "Meningococcal",
    "MENB": "Meningococcal B",
    "JE": "Japanese Encephalitis",
    "YF": "Yellow Fever",
    "CHIK": "Chikungunya",
    "DEN": "Dengue",
}
"""The vaccine groups that the files abbreviate; any other name is that of the rules, in any case."""
GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
CHECKS = ("evaluation", "status", "earliest", "recommended", "past_due", "number")
"""What is compared, by the names of the results."""
_REQUIRED = {"DOB", "Vaccine_Group", "Assessment_Date", "Series_Status"}
_SEPARATORS = re.compile(r"[\s;,]+")
_COUNTRY = "US"
"""Where the persons of the files are born, which have no column for it; the data are about the United States."""


class CaseError(ValueError):
    """A row of a file of cases cannot be read; the message names file, row and column."""


@dataclass(frozen=True, slots=True)
class Case:
    """A person with the advice that is expected. `label`: the group in the file; `evaluations`: by id of the dose."""

    id: str
    name: str
    label: str
    group: str
    patient: Patient
    doses: tuple[Dose, ...]
    on: date
    expected: Mapping[str, object]
    evaluations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How an advice differs from a case: by check, what was expected and what was advised."""

    case: Case
    differences: Mapping[str, tuple[str, str]]

    @property
    def agrees(self) -> bool:
        """Whether everything agrees."""
        return not self.differences


@dataclass(slots=True)
class Tally:
    """How many cases agree, in all and by check."""

    total: int = 0
    agree: int = 0
    checks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHECKS, 0))

    def add(self, result: CaseResult) -> None:
        """Count a case."""
        self.total += 1
        self.agree += result.agrees
        for check in CHECKS:
            self.checks[check] += check not in result.differences

    def as_json(self) -> dict[str, int]:
        """Return the counts in one object."""
        return {"total": self.total, "agree": self.agree, **self.checks}


def read_cases(path: Path, rules: RuleSet) -> Iterator[Case]:
    """Yield the cases of a file. Raises: CaseError for a row that cannot be read, OSError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            missing = _REQUIRED - set(reader.fieldnames or ())
            if missing:
                raise CaseError(f"{path.name}: the columns {', '.join(sorted(missing))} are missing")
            for row in reader:
                yield _Row(path, reader.line_num, row, rules).case()
        except (csv.Error, UnicodeDecodeError) as error:
            raise CaseError(f"{path.name}, row {reader.line_num}: {error}") from error


def run_case(case: Case, rules: RuleSet) -> CaseResult:
    """Return how the advice for the person of a case differs from what is expected."""
    advice = advise(case.patient, case.doses, case.on, rules).group(case.group)
    differences = {}
    for check, expected in case.expected.items():
        got = _advised(advice, check)
        if got != expected:
            differences[check] = (_shown(expected), _shown(got))
    evaluated = {one.dose: str(one.status) for one in advice.evaluations} if advice else {}
    wrong = {
        dose: expected
        for dose, expected in case.evaluations.items()
        if evaluated.get(dose, expected).casefold() != expected.casefold()
    }
    if wrong:
        got = ", ".join(f"{dose}: {evaluated[dose]}" for dose in wrong)
        differences["evaluation"] = (", ".join(f"{dose}: {expected}" for dose, expected in wrong.items()), got)
    return CaseResult(case, differences)


def tally(results: Sequence[CaseResult]) -> tuple[Tally, dict[str, Tally]]:
    """Return the counts of all results and of those of each group."""
    groups: dict[str, Tally] = {}
    whole = Tally()
    for result in results:
        whole.add(result)
        groups.setdefault(result.case.label, Tally()).add(result)
    return whole, dict(sorted(groups.items()))


def _advised(advice: GroupAdvice | None, check: str) -> object:
    if advice is None:
        return None
    if check == "status":
        return str(advice.status).casefold()
    return getattr(advice, "dose_number" if check == "number" else check)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


class _Row:
    """A row of a file, read column by column."""

    def __init__(self, path: Path, line: int, row: Mapping[str, str | None], rules: RuleSet) -> None:
        self._path, self._line, self._row, self._rules = path, line, row, rules

    def case(self) -> Case:
        """Return the case."""
        evaluations = {}
        doses = []
        for number in count(1):
            if f"Date_Administered_{number}" not in self._row:
                break
            given_on = self._date(f"Date_Administered_{number}")
            if given_on is not None:
                doses.append(self._dose(number, given_on))
                evaluations[str(number)] = self._text(f"Evaluation_Status_{number}")
        return Case(
            id=self._text("CDC_Test_ID"),
            name=self._text("Test_Case_Name"),
            label=self._text("Vaccine_Group"),
            group=self._group(),
            patient=Patient(
                self._required_date("DOB"),
                GENDERS.get(self._text("gender").casefold(), "unknown"),
                self._observations(),
                _COUNTRY,
            ),
            doses=tuple(doses),
            on=self._required_date("Assessment_Date"),
            expected={
                "status": self._text("Series_Status").casefold(),
                "earliest": self._date("Earliest_Date"),
                "recommended": self._date("Recommended_Date"),
                "past_due": self._date("Past_Due_Date"),
                "number": self._number("Forecast_#"),
            },
            evaluations={dose: status for dose, status in evaluations.items() if status},
        )

    def _text(self, column: str) -> str:
        return (self._row.get(column) or "").strip()

    def _error(self, column: str, what: str) -> CaseError:
        return CaseError(f"{self._path.name}, row {self._line}, column {column}: {what}")

    def _date(self, column: str) -> date | None:
        text = self._text(column)
        if not text or text == "-":
            return None
        try:
            return datetime.strptime(text, "%m/%d/%Y" if "/" in text else "%Y-%m-%d").date()  # noqa: DTZ007
        except ValueError:
            raise self._error(column, f'"{text}" is no date such as 2022-10-19') from None

    def _required_date(self, column: str) -> date:
        found = self._date(column)
        if found is None:
            raise self._error(column, "there is no date")
        return found

    def _number(self, column: str) -> int | None:
        text = self._text(column)
        if text in ("", "-"):
            return None
        if not text.isdigit():
            raise self._error(column, f'"{text}" is no number')
        return int(text)

    def _dose(self, number: int, given_on: date) -> Dose:
        return Dose(
            id=str(number),
            given_on=given_on,
            vaccine=self._text(f"CVX_{number}"),
            manufacturer=self._text(f"MVX_{number}") or None,
            trade_name=self._text(f"Vaccine_Name_{number}") or None,
        )

    def _group(self) -> str:
        """Return the group by its name in the rules; a group that they do not have keeps its own."""
        label = self._text("Vaccine_Group")
        name = GROUP_NAMES.get(label.upper(), label).casefold()
        for group in self._rules.groups:
            if group.name.casefold() == name:
                return group.name
        return label

    def _observations(self) -> tuple[Observation, ...]:
        """Return the observations of the history: codes of the CDSi, or of another system by the rules' map."""
        system = self._text("Med_History_Code_Sys").upper()
        system = "SNOMED" if system.startswith(("SNOMED", "SCT")) else system
        found: dict[str, None] = {}
        for code in _SEPARATORS.split(self._text("Med_History_Code")):
            direct = code.zfill(3)
            codes = (direct,) if direct in self._rules.observations and system != "SNOMED" else ()
            found |= dict.fromkeys(codes or self._rules.coded_values.get((system, code), ()))
        return tuple(map(Observation, found))
