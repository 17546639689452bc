"""The adjudication of a note in a file, without a database: reading it, what is assumed, and the decision as text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from esante.core.types import Json
from esante.core.web import Problem, translator
from esante.identity.directory import catalogue
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.model import Adjudication, Case, Cover, Finding
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.adjudication.words import EFFECTS, explain, show_share
from esante.services.billing.nomenclature import use_folder
from esante.services.billing.note.model import FeeNote

MOST_BYTES = 20_000_000
_MATRICULE = re.compile(r"(\d{4})(\d\d)(\d\d)\d{3,5}")


class CannotSimulate(Exception):
    """A file that cannot be adjudicated: every fault with its place and remedy."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the file does not say. `born` None: as in the note; no `specialities`: all of them."""

    born: date | None = None
    covered: bool = True
    third_party_payer: bool = False
    profession: str = "doctor"
    specialities: tuple[str, ...] = ()
    received: date | None = None
    has_amounts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A note with its decision, and remarks on how it was read. `is_sample`: by the sample nomenclature."""

    note: FeeNote
    adjudication: Adjudication
    remarks: tuple[str, ...]
    is_sample: bool


def simulate_file(path: Path, assumptions: Assumptions, folder: str = "") -> Simulated:
    """Return the decision on the note in a file, by the rules of a folder or those of the program.

    Raises: CannotSimulate.
    """
    try:
        use_folder(folder)
        rules = current_rules()
    except ValueError as error:
        raise CannotSimulate(str(error)) from error
    if path.stat().st_size > MOST_BYTES:
        raise CannotSimulate(f"more than {MOST_BYTES:,} bytes")
    note, remarks = _read(path.read_bytes())
    cover = Cover(fund=note.patient.fund, since=date.min, third_party_payer=assumptions.third_party_payer)
    case = Case(
        note=note,
        birth_date=assumptions.born or birth_date_of(note),
        covers=(cover,) if assumptions.covered else (),
        profession=assumptions.profession,
        specialities=assumptions.specialities or tuple(catalogue().specialities),
        received_on=assumptions.received,
        has_amounts=assumptions.has_amounts,
    )
    return Simulated(
        note=note,
        adjudication=adjudicate(case, rules),
        remarks=remarks,
        is_sample=rules.nomenclature.is_sample,
    )


def birth_date_of(note: FeeNote) -> date:
    """Return the birth date that a note gives, or its matricule. Raises: CannotSimulate when neither does."""
    if note.patient.birth_date is not None:
        return note.patient.birth_date
    match = _MATRICULE.fullmatch(note.patient.matricule)
    try:
        if match is not None:
            return date(*(int(part) for part in match.groups()))
    except ValueError:
        pass
    raise CannotSimulate("the birth date is not known from the note: give it with --born YYYY-MM-DD")


def _read(data: bytes) -> tuple[FeeNote, tuple[str, ...]]:
    from esante.services.billing.note.faults import BadNote
    from esante.services.billing.note.fhir_resources import read_claim
    from esante.services.billing.note.national_xml import read_note
    from esante.services.billing.note.package import unpack

    try:
        if data.lstrip()[:1] == b"{":
            return read_claim(data), ()
        found = read_note(unpack(data)[1] if data[:2] == b"PK" else data, lenient=True)
    except BadNote as error:
        raise CannotSimulate(
            *(_fault(one.where, one.title, one.detail, one.remedy) for one in error.faults)
        ) from error
    except Problem as error:
        raise CannotSimulate(_fault(error.place, error.title, error.detail, error.remedy)) from error
    return found.note, tuple(_fault(one.where, one.title, one.detail, one.remedy) for one in found.remarks)


def _fault(place: str, title: str, detail: str, remedy: str) -> str:
    gettext = translator("en").gettext
    said = f"{place}: {gettext(title)}" if place else gettext(title)
    said += f" ({detail})" if detail else ""
    return f"{said} {gettext(remedy)}" if remedy else said


def as_json_object(simulated: Simulated, language: str) -> Json:
    """Return a decision as JSON: {note, rules, sample, statutory, personal, total, lines, findings, remarks}."""
    decided = simulated.adjudication
    return {
        "note": str(decided.note_id),
        "rules": decided.rules,
        "sample": simulated.is_sample,
        "statutory": _text(decided.statutory),
        "personal": _text(decided.personal),
        "total": _text(decided.total),
        "lines": [
            {
                "number": line.number,
                "code": line.code,
                "quantity": line.quantity,
                "tariff": _text(line.tariff),
                "rate": _text(line.rate),
                "statutory": _text(line.statutory),
                "personal": _text(line.personal),
                "convenience": _text(line.convenience),
                "refused": line.is_refused,
                "rules": [_finding(one, language) for one in line.findings],
            }
            for line in decided.lines
        ],
        "findings": [_finding(one, language) for one in decided.findings],
        "remarks": list(simulated.remarks),
    }


def _finding(finding: Finding, language: str) -> Json:
    said = explain(finding, language)
    return {
        "id": str(finding.id),
        "rule": finding.rule,
        "effect": finding.effect.value,
        "title": said.title,
        "remedy": said.remedy,
        "legal_source": said.legal_source,
    }


def as_table(simulated: Simulated, language: str) -> str:
    """Return a decision as a table for people: each line with its amounts, and below it the rules that applied."""
    return "\n".join(_rows(simulated, language))


def _rows(simulated: Simulated, language: str) -> Iterator[str]:
    decided = simulated.adjudication
    yield from (f"accepted although {remark}" for remark in simulated.remarks)
    if simulated.is_sample:
        yield "By the SAMPLE nomenclature of the program: these are no official tariffs."
    yield f"{'line':>4} {'code':<8}{'n':>3}{'tariff':>12}{'rate':>7}{'statutory':>12}{'personal':>12}{'beside':>12}"
    for line in decided.lines:
        amounts = (line.statutory, line.personal, line.convenience)
        rate = show_share(line.rate, language)
        yield f"{line.number:>4} {line.code:<8}{line.quantity:>3}{line.tariff:>12}{rate:>7}" + "".join(
            f"{amount:>12}" for amount in amounts
        )
        for finding in line.findings:
            yield from _finding_rows(finding, language)
    for finding in decided.findings:
        yield from _finding_rows(finding, language)
    sums = f"statutory {decided.statutory}   personal {decided.personal}   total {decided.total}"
    yield f"{sums}   rules {decided.rules[:12]}"


def _finding_rows(finding: Finding, language: str) -> Iterator[str]:
    said, effect = explain(finding, language), translator(language).gettext(EFFECTS[finding.effect])
    yield f"       {effect}: {said.title} [{finding.rule}; {said.legal_source}]"
    if said.remedy:
        yield f"         -> {said.remedy}"


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"
