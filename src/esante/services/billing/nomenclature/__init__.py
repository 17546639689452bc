"""Acts and their tariffs: coefficients, key letters, index and rounding as dated data."""

from esante.services.billing.nomenclature.catalogue import Nomenclature, NoTariff, nomenclature, report_of
from esante.services.billing.nomenclature.cells import parse_frequency
from esante.services.billing.nomenclature.data_files import current_folder, data_text, use_folder
from esante.services.billing.nomenclature.model import Act, Chapter, Flag, Frequency, Part, Price, Surcharge, Unit
from esante.services.billing.nomenclature.terms import (
    WRONG,
    is_within,
    load_surcharges,
    parse_dated,
    parse_number,
    parse_toml,
    parse_whole,
)

__all__ = [
    "WRONG",
    "Act",
    "Chapter",
    "Flag",
    "Frequency",
    "NoTariff",
    "Nomenclature",
    "Part",
    "Price",
    "Surcharge",
    "Unit",
    "current_folder",
    "data_text",
    "is_within",
    "load_surcharges",
    "nomenclature",
    "parse_dated",
    "parse_frequency",
    "parse_number",
    "parse_toml",
    "parse_whole",
    "report_of",
    "use_folder",
]
