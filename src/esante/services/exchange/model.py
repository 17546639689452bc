"""What every part of the exchange shares: faults with place and remedy."""

from dataclasses import dataclass

from esante.core.types import Json


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an input: `place` is a file, line, XPath or FHIRPath ("" for the whole input)."""

    message: str
    place: str
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one line."""
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.message}. {self.remedy}."

    def as_json(self) -> Json:
        """Return the fault as a JSON object."""
        return {"message": self.message, "place": self.place, "remedy": self.remedy}


class NotUsable(Exception):
    """An input that cannot be used; `faults` says all that was found."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
