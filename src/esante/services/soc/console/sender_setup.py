"""How a system that sends is set up, with the address of the intake and the key of its source."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

PLACEHOLDER = "KEY"
"""What stands in the place of a key that is not known."""
_NAMES = ("rsyslog", "windows", "https", "fhir")


def setups(host: str, key: str = PLACEHOLDER) -> Mapping[str, str]:
    """Return the texts for rsyslog, Windows, applications over HTTPS, and audit records over FHIR, by name."""
    return {name: _text(name).replace("@HOST@", host).replace("@KEY@", key) for name in _NAMES}


@cache
def _text(name: str) -> str:
    return files("esante.services.soc").joinpath(f"data/sender_setup/{name}.txt").read_text("utf-8").rstrip()
