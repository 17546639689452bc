"""Data types in CDA and in FHIR: each reads one form and writes the other."""

from esante.services.exchange.conversion.datatypes.base import (
    DataType,
    NarrativeTexts,
    Primitive,
    ReadContext,
    WriteContext,
    absent_extensions,
    sub,
    write_absent,
    xml_text,
)
from esante.services.exchange.conversion.datatypes.codes import Coded, Concept, StatusConcept
from esante.services.exchange.conversion.datatypes.persons import (
    Ident,
    Link,
    PersonName,
    PostalAddress,
    Telecom,
    Words,
)
from esante.services.exchange.conversion.datatypes.quantities import Amount, Bounded, Flag, Number, Proportion
from esante.services.exchange.conversion.datatypes.times import Interval, Moment, cda_time, fhir_time, put

__all__ = [
    "Amount",
    "Bounded",
    "Coded",
    "Concept",
    "DataType",
    "Flag",
    "Ident",
    "Interval",
    "Link",
    "Moment",
    "NarrativeTexts",
    "Number",
    "PersonName",
    "PostalAddress",
    "Primitive",
    "Proportion",
    "ReadContext",
    "StatusConcept",
    "Telecom",
    "Words",
    "WriteContext",
    "absent_extensions",
    "cda_time",
    "fhir_time",
    "put",
    "sub",
    "write_absent",
    "xml_text",
]
