"""Loading the CDC's supporting data for CDSi: a folder of XML files of one release (any from 4.0 on)."""

import re
from pathlib import Path

from esante.services.vaccination.forecast.rules.antigen_data import read_antigen
from esante.services.vaccination.forecast.rules.errors import RulesError
from esante.services.vaccination.forecast.rules.logic import LOGIC_RULES
from esante.services.vaccination.forecast.rules.model import Antigen, Rule, RuleSet
from esante.services.vaccination.forecast.rules.schedule_data import Schedule, read_schedule

_SCHEDULE = "ScheduleSupportingData.xml"
_ANTIGENS = "AntigenSupportingData*.xml"
_RELEASE = re.compile(r"\d+\.\d+")


def load_supporting_data(folder: Path) -> RuleSet:
    """Return the rules in a folder. Raises: RulesError with file and line."""
    folder = Path(folder)
    paths = sorted(folder.glob(_ANTIGENS))
    if not folder.is_dir() or not paths:
        raise RulesError(str(folder), None, f"is no folder with files {_ANTIGENS} and {_SCHEDULE}")
    named = _RELEASE.search(folder.name)
    release = named[0] if named else folder.name
    schedule = read_schedule(folder / _SCHEDULE, release)
    rules: dict[str, Rule] = dict(LOGIC_RULES)
    antigens: dict[str, Antigen] = {}
    for path in paths:
        antigen = read_antigen(path, release, rules)
        if antigen.name in antigens:
            raise RulesError(path, None, f"there is a second file about {antigen.name}")
        antigens[antigen.name] = antigen
    _check_names(folder / _SCHEDULE, schedule, antigens)
    return RuleSet(
        name=f"CDSi {release}",
        antigens=antigens,
        groups=schedule.groups,
        vaccines=schedule.vaccines,
        conflicts=schedule.conflicts,
        rules=rules | schedule.rules,
        observations=schedule.observations,
        coded_values=schedule.coded_values,
        vaccine_names=schedule.vaccine_names,
    )


def _check_names(path: Path, schedule: Schedule, antigens: dict[str, Antigen]) -> None:
    """Raise RulesError when an antigen has a file and no group, or a series a group that the schedule has not."""
    grouped = {antigen for group in schedule.groups for antigen in group.antigens}
    names = {group.name for group in schedule.groups}
    for antigen in antigens.values():
        if antigen.name not in grouped:
            raise RulesError(path, None, f"no vaccine group has the antigen {antigen.name}")
        for series in antigen.series:
            if series.group not in names:
                raise RulesError(path, None, f"there is no vaccine group {series.group} ({series.name})")
