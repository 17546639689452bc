"""The rules of a calendar by id, each with its source and whether it was verified there."""

from esante.services.vaccination.forecast.rules.model import Rule
from esante.services.vaccination.forecast.rules.toml_table import Table

ASSUMED = "assumed"
"""The source of what names none."""


class Sources:
    """The named sources of a calendar (`[source.x]`), and the rules noted while its rows are read."""

    def __init__(self, calendar: Table, country: str) -> None:
        self._country = country
        self._texts: dict[str, str] = {}
        for name, source in calendar.named_tables("source").items():
            self._texts[name] = source.get("legal_source", str)
            source.finish()
        if ASSUMED not in self._texts:
            raise calendar.error(f"[source.{ASSUMED}] is missing")
        self.rules: dict[str, Rule] = {}

    def note(self, row: Table, *place: object, text: str = "") -> str:
        """Return the id of the rule of a row, with its `basis` and whether it is `verified`.

        Raises: RulesError when the source is unknown, or a rule is verified in no source.
        """
        basis, verified = row.get("basis", str, ASSUMED), row.get("verified", bool, False)
        if basis not in self._texts:
            raise row.error(f"there is no [source.{basis}]")
        if verified and basis == ASSUMED:
            raise row.error("a rule that is verified names the source that it was read in")
        return self._add(place, self._texts[basis], text, verified=verified)

    def note_own(self, row: Table, *place: object) -> str:
        """Return the id of the rule of a row that brings its own source."""
        return self._add(place, row.get("source", str), "", verified=row.get("verified", bool))

    def _add(self, place: tuple[object, ...], source: str, text: str, *, verified: bool) -> str:
        id = "/".join(map(str, (self._country, *place)))
        self.rules[id] = Rule(id, source, verified=verified, text=text)
        return id
