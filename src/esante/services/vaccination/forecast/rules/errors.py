"""The error of rules that cannot be used."""

from pathlib import Path


class RulesError(ValueError):
    """A file of rules is missing, damaged or contradicts itself; the message names the file and the row."""

    def __init__(self, file: Path | str, line: int | None, what: str) -> None:
        name = file.name if isinstance(file, Path) else file
        super().__init__(f"{name}, line {line}: {what}" if line else f"{name}: {what}")
