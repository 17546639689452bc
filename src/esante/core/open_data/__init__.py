"""Descriptions of open data: nodes of DCAT-AP as JSON-LD and Turtle; and the push to a national portal (udata).

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
from esante.core.open_data.udata import (
    FILE_MARK,
    PortalDataset,
    PortalError,
    PortalSettings,
    PortalTarget,
    file_name,
    portal_target,
)

__all__ = [
    "AUTHORITY",
    "FILE_MARK",
    "HEALTH_PREFIXES",
    "LANGUAGE_CODES",
    "PREFIXES",
    "PortalDataset",
    "PortalError",
    "PortalSettings",
    "PortalTarget",
    "date_time_literal",
    "encode_jsonld",
    "encode_turtle",
    "file_name",
    "language_literal",
    "name_literals",
    "portal_target",
    "reference",
    "text_literals",
    "typed_literal",
]
