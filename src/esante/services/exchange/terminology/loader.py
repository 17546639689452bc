"""Loads a catalogue from a folder of files: FHIR Shorthand (.fsh), FHIR (.json), a terminology server's export (.sql).

A file `catalogue.toml` may state the day of the catalogue (`date`); else it is the latest day in the files.
"""

import tomllib
from datetime import date
from functools import cache
from pathlib import Path

from esante.core.fhir import NotJson, decode
from esante.services.exchange.model import Fault, NotUsable
from esante.services.exchange.terminology.builder import CatalogueBuilder
from esante.services.exchange.terminology.fhir_sets import read_fhir
from esante.services.exchange.terminology.fsh import read_fsh
from esante.services.exchange.terminology.model import CodeCatalogue
from esante.services.exchange.terminology.tsam import is_tsam, read_tsam

MAX_BYTES = 512 << 20
"""Bytes of a file of a catalogue."""
SAMPLE = Path(__file__).parent / "data" / "hl7"
"""The catalogue that is shipped: a few of HL7's own codes, for tests and first trials."""


def load_catalogue(folder: Path) -> CodeCatalogue:
    """Return the catalogue of a folder and its sub-folders.

    Raises: `NotUsable` with all that is wrong, each with its file, line or path, and a remedy.
    """
    if not folder.is_dir():
        raise NotUsable(
            Fault("there is no such folder", str(folder), "Name the folder with the files of the catalogue")
        )
    builder = CatalogueBuilder()
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".fsh", ".json", ".sql"))
    if not files:
        remedy = "Put files of FHIR Shorthand (.fsh), FHIR (.json) or an export (.sql) into it"
        raise NotUsable(Fault("the folder holds no catalogue", str(folder), remedy))
    for path in files:
        _read(path, str(path.relative_to(folder)), builder)
    stated = _stated_day(folder / "catalogue.toml", builder)
    if stated is not None:
        builder.day = stated
    return builder.build()


@cache
def sample_catalogue() -> CodeCatalogue:
    """Return the catalogue that is shipped."""
    return load_catalogue(SAMPLE)


def _read(path: Path, place: str, builder: CatalogueBuilder) -> None:
    if path.stat().st_size > MAX_BYTES:
        builder.fault(f"the file is larger than {MAX_BYTES >> 20} MiB", place, "Divide it")
        return
    data = path.read_bytes()
    if path.suffix.lower() == ".json":
        try:
            read_fhir(decode(data), place, builder)
        except NotJson as error:
            builder.fault(f"the file is no JSON ({error})", place, "Export it again")
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        builder.fault(f"the file is not in UTF-8 (byte {error.start})", place, "Convert it to UTF-8")
        return
    if path.suffix.lower() == ".fsh":
        read_fsh(text, place, builder)
    elif is_tsam(text):
        read_tsam(text, place, builder)
    else:
        builder.fault(
            "the file has no rows of a terminology server", place, "Export the tables of ltrdb with their rows"
        )


def _stated_day(path: Path, builder: CatalogueBuilder) -> date | None:
    if not path.is_file():
        return None
    try:
        day = tomllib.loads(path.read_text("utf-8")).get("date")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        builder.fault(f"the file is no TOML ({error})", path.name, "Write date = 2025-12-23")
        return None
    if day is not None and not isinstance(day, date):
        builder.fault(f"the date is {day!r}", path.name, "Write date = 2025-12-23, without quotation marks")
        return None
    return day
