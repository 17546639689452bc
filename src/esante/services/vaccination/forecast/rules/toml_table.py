"""Reading tables of a calendar in TOML: each value of its kind, nothing unknown, errors with the row."""

import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from esante.services.vaccination.forecast.durations import Duration, parse_duration
from esante.services.vaccination.forecast.rules.errors import RulesError

T = TypeVar("T")


def read_toml(file: str, text: str) -> "Table":
    """Return the file as a table. Raises: RulesError when it is no TOML."""
    try:
        return Table(file, text, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise RulesError(file, None, f"is no TOML ({error})") from error


class Table:
    """A table of a file; `header` is that of its `[[...]]`, `place` its number among those of the same header."""

    def __init__(
        self, file: str, text: str, header: str, values: Mapping[str, Any], place: int = 0, line: int | None = None
    ) -> None:
        self._file, self._text, self._header, self._values, self._place = file, text, header, values, place
        self.line = line
        self._read: set[str] = set()

    def error(self, what: str) -> RulesError:
        """Return an error about this row."""
        return RulesError(self._file, self.line, what)

    def tables(self, key: str) -> list["Table"]:
        """Return the tables of a list: rows with a header of their own, or those written in one line."""
        self._read.add(key)
        header = f"{self._header}.{key}".lstrip(".")
        first = self.line or 0
        lines = [
            number
            for number, line in enumerate(self._text.splitlines(), 1)
            if number > first and line.strip() == f"[[{header}]]"
        ]
        found = self._values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.error(f"{key} is no list of tables")
        return [
            Table(self._file, self._text, header, one, place, lines[place] if place < len(lines) else self.line)
            for place, one in enumerate(found)
        ]

    def named_tables(self, key: str) -> dict[str, "Table"]:
        """Return the tables below a key by their names."""
        self._read.add(key)
        return {
            name: Table(self._file, self._text, f"{key}.{name}", one, 0, self._line_of(f"[{key}.", name))
            for name, one in self._values.get(key, {}).items()
        }

    def one(self, key: str) -> list["Table"]:
        """Return a table written in one line as a list of one; empty when absent."""
        return [self.inline(key, self.get(key, dict))] if self.has(key) else []

    def inline(self, key: str, values: Mapping[str, Any]) -> "Table":
        """Return values of this row as a table of its own."""
        return Table(self._file, self._text, f"{self._header}.{key}", values, 0, self.line)

    def name_or_number(self, key: str) -> str | int:
        """Return a text or a whole number."""
        value = self._values.get(key)
        return self.get(key, int) if isinstance(value, int) else self.get(key, str)

    def _line_of(self, begin: str, name: str) -> int | None:
        for number, line in enumerate(self._text.splitlines(), 1):
            if line.startswith(begin) and name in line:
                return number
        return None

    def has(self, key: str) -> bool:
        """Return whether a key is there."""
        return key in self._values

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return a value. Raises: RulesError when it is absent without a default, or of another kind."""
        self._read.add(key)
        value = self._values.get(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            missing = key not in self._values
            raise self.error(f"{key} is missing" if missing else f"{key} is {value!r} and no {kind.__name__}")
        return value

    def duration(self, key: str) -> Duration | None:
        """Return a duration, or None."""
        if not self.has(key):
            return None
        return self._parsed(key, parse_duration)

    def day(self, key: str) -> int:
        """Return a date as a day."""
        return self.get(key, date).toordinal()

    def month_and_day(self, key: str) -> tuple[int, int]:
        """Return the month and the day of a text such as "10-01"."""
        return self._parsed(key, _month_and_day)

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, or one text as a list of one; empty when absent."""
        self._read.add(key)
        value = self._values.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.error(f"{key} is no text or list of texts")
        return tuple(found)

    def numbers(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers; empty when absent."""
        found = self.get(key, list, [])
        if not all(isinstance(one, int) for one in found):
            raise self.error(f"{key} is no list of numbers")
        return tuple(found)

    def finish(self) -> None:
        """Raise RulesError when the table has a key that nothing asked for."""
        unknown = self._values.keys() - self._read
        if unknown:
            raise self.error(f"{', '.join(sorted(unknown))}: no such key here")

    def _parsed(self, key: str, parse: Callable[[str], T]) -> T:
        text = self.get(key, str)
        try:
            return parse(text)
        except ValueError as error:
            raise self.error(f"{key}: {error}") from None


def _month_and_day(text: str) -> tuple[int, int]:
    found = date.fromisoformat(f"2001-{text}")
    return found.month, found.day
