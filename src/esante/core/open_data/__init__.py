"""Descriptions of open data: nodes of DCAT-AP as JSON-LD and Turtle.

A node is JSON-LD with prefixes of `PREFIXES` and a type; a nested node with an `@id` is described beside it.
"""

from esante.core.open_data.nodes import (
    AUTHORITY,
    LANGUAGE_CODES,
    date_time_literal,
    language_literal,
    name_literals,
    reference,
    text_literals,
    typed_literal,
)
from esante.core.open_data.rdf import HEALTH_PREFIXES, PREFIXES, encode_jsonld, encode_turtle

__all__ = [
    "AUTHORITY",
    "HEALTH_PREFIXES",
    "LANGUAGE_CODES",
    "PREFIXES",
    "date_time_literal",
    "encode_jsonld",
    "encode_turtle",
    "language_literal",
    "name_literals",
    "reference",
    "text_literals",
    "typed_literal",
]
