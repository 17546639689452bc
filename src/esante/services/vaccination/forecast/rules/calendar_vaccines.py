"""The vaccines of a calendar: which antigens they contain, between which ages they count, which keep a distance."""

from collections import defaultdict

from esante.services.vaccination.forecast.durations import Duration
from esante.services.vaccination.forecast.rules.calendar_sources import Sources
from esante.services.vaccination.forecast.rules.model import Association, Conflict, VaccineGroup, VaccineRow
from esante.services.vaccination.forecast.rules.toml_table import Table


class CalendarVaccines:
    """What the file of vaccines says. `rows`: the vaccines with an antigen."""

    def __init__(self, table: Table, sources: Sources) -> None:
        self.groups: list[VaccineGroup] = []
        self.group_of: dict[str, str] = {}
        self.associations: defaultdict[int, tuple[Association, ...]] = defaultdict(tuple)
        self.names: dict[int, str] = {}
        self.rows: defaultdict[str, list[VaccineRow]] = defaultdict(list)
        self.conflicts: dict[int, dict[int, Conflict]] = {}
        for name, group in table.named_tables("group").items():
            self._read_group(name, group)
        for vaccine in table.tables("vaccine"):
            self._read_vaccine(vaccine)
        for conflict in table.tables("conflict"):
            self._read_conflict(conflict, sources)
        table.finish()

    def _read_group(self, name: str, group: Table) -> None:
        antigens = group.words("antigens")
        for antigen in antigens:
            if antigen in self.group_of:
                raise group.error(f"{antigen} is in the groups {self.group_of[antigen]} and {name}")
            self.group_of[antigen] = name
        self.groups.append(VaccineGroup(name, antigens, group.get("whole", bool, False)))
        group.finish()

    def _read_vaccine(self, vaccine: Table) -> None:
        name, antigens = vaccine.get("name", str), vaccine.words("antigens")
        begin, end = vaccine.duration("from"), vaccine.duration("until")
        for cvx in vaccine.numbers("cvx"):
            if cvx in self.names:
                raise vaccine.error(f"the vaccine {cvx} is there twice")
            self.names[cvx] = name
            for antigen in antigens:
                if antigen not in self.group_of:
                    raise vaccine.error(f"no group has the antigen {antigen}")
                self.associations[cvx] += (Association(antigen),)
                self.rows[antigen].append(VaccineRow("", cvx, begin, end))
        vaccine.finish()

    def _read_conflict(self, conflict: Table, sources: Sources) -> None:
        """Note that live vaccines are given on one day, or so many days apart."""
        distance = Duration(days=conflict.get("days", int))
        one = Conflict(sources.note_own(conflict, "live-vaccines"), Duration(days=1), distance, distance)
        live = conflict.numbers("live")
        for cvx in live:
            if cvx not in self.names:
                raise conflict.error(f"there is no vaccine {cvx}")
            self.conflicts[cvx] = dict.fromkeys(live, one)
        conflict.finish()
