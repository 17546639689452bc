"""The schedule file of supporting data: vaccine groups, antigens of vaccines, conflicts, observations."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from esante.services.vaccination.forecast.durations import Duration
from esante.services.vaccination.forecast.rules.model import Association, Conflict, Rule, VaccineGroup
from esante.services.vaccination.forecast.rules.xml_reader import Node, read_xml


@dataclass(frozen=True, slots=True)
class Schedule:
    """What holds for all antigens."""

    groups: tuple[VaccineGroup, ...]
    vaccines: dict[int, tuple[Association, ...]]
    vaccine_names: dict[int, str]
    conflicts: dict[int, dict[int, Conflict]]
    observations: dict[str, str]
    coded_values: dict[tuple[str, str], tuple[str, ...]]
    rules: dict[str, Rule]


def read_schedule(path: Path, release: str) -> Schedule:
    """Return what the file says. Raises: RulesError."""
    root = read_xml(path, "scheduleSupportingData")
    rules: dict[str, Rule] = {}
    vaccines, names = _read_vaccines(root)
    return Schedule(
        groups=_read_groups(root),
        vaccines=vaccines,
        vaccine_names=names,
        conflicts=_read_conflicts(root, path, release, rules),
        observations={
            one.required("observationCode"): one.text("observationTitle")
            for one in root.children("observations", "observation")
        },
        coded_values=_read_coded_values(root),
        rules=rules,
    )


def _read_groups(root: Node) -> tuple[VaccineGroup, ...]:
    whole = {
        one.required("name"): one.text("administerFullVaccineGroup").lower() in ("yes", "y")
        for one in root.children("vaccineGroups", "vaccineGroup")
    }
    groups = []
    for one in root.children("vaccineGroupToAntigenMap", "vaccineGroupMap"):
        name, antigens = one.required("name"), one.texts("antigen")
        if not antigens:
            raise one.error(f"the vaccine group {name} has no antigen")
        groups.append(VaccineGroup(name, antigens, whole.get(name, False)))
    return tuple(groups)


def _read_vaccines(root: Node) -> tuple[dict[int, tuple[Association, ...]], dict[int, str]]:
    vaccines: dict[int, tuple[Association, ...]] = {}
    names = {}
    for one in root.children("cvxToAntigenMap", "cvxMap"):
        cvx = one.cvx()
        if cvx in vaccines:
            raise one.error(f"the vaccine {cvx} is there twice")
        vaccines[cvx] = tuple(
            Association(
                each.required("antigen"), each.duration("associationBeginAge"), each.duration("associationEndAge")
            )
            for each in one.children("association")
        )
        names[cvx] = one.text("shortDescription")
    return vaccines, names


def _read_conflicts(root: Node, path: Path, release: str, rules: dict[str, Rule]) -> dict[int, dict[int, Conflict]]:
    found: dict[int, dict[int, Conflict]] = defaultdict(dict)
    for one in root.children("liveVirusConflicts", "liveVirusConflict"):
        before, current = one.child("previous").cvx(), one.child("current").cvx()
        id = f"cdsi/conflict/{before}-{current}"
        end = one.duration("conflictEndInterval")
        if end is None:
            raise one.error("a conflict has no conflictEndInterval")
        found[current][before] = Conflict(
            rule=id,
            begin=one.duration("conflictBeginInterval") or Duration(days=1),
            minimum_end=one.duration("minConflictEndInterval") or end,
            end=end,
        )
        rules[id] = Rule(id, f"CDSi supporting data {release}, {path.name}, line {one.line}", verified=True)
    return dict(found)


def _read_coded_values(root: Node) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in root.children("observations", "observation"):
        for value in one.children("codedValues", "codedValue"):
            found[value.text("codeSystem").upper(), value.text("code")].append(one.required("observationCode"))
    return {key: tuple(dict.fromkeys(codes)) for key, codes in found.items()}
