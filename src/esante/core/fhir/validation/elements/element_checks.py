"""All checks of single elements, in one walk over the resource."""

from collections.abc import Iterator
from math import inf

from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.profiles import ProfiledValue, check_values
from esante.core.fhir.validation.canonical import check_canonical_resource
from esante.core.fhir.validation.elements.absent_values import check_absent_values
from esante.core.fhir.validation.elements.addresses import check_addresses
from esante.core.fhir.validation.elements.bundles import check_bundle
from esante.core.fhir.validation.elements.codings import check_codes, check_coding
from esante.core.fhir.validation.elements.definitions import profiled_values
from esante.core.fhir.validation.elements.expressions import check_expressions
from esante.core.fhir.validation.elements.extensions import check_extensions
from esante.core.fhir.validation.elements.narratives import Narratives
from esante.core.fhir.validation.elements.places import iterate_places
from esante.core.fhir.validation.elements.references import Targets
from esante.core.fhir.validation.elements.texts import ElementIds, marked_texts, warn_of_markup
from esante.core.types import Json


def check_elements(resource: Json, compacted: bytes, seconds: float = inf) -> Iterator[Finding]:
    """Yield a finding for everything that is wrong with single elements beyond their structure.

    The structure of `resource` must be valid; `compacted` is its JSON without white space. A check of extensions and
    vital signs that would take more than `seconds` of processor time ends with a warning.
    """
    has_markup = b"<" in compacted
    targets, ids, narratives = Targets(resource), ElementIds(), Narratives()
    marked: list[ElementPath] = []
    profiled: list[ProfiledValue] = []
    for place in iterate_places(resource):
        yield from check_extensions(place)
        yield from check_addresses(place)
        yield from check_absent_values(place)
        yield from check_codes(place)
        yield from check_coding(place)
        yield from check_expressions(place)
        yield from targets.check_references(place)
        yield from ids.check(place)
        yield from narratives.check(place)
        if place.element is None:
            yield from check_canonical_resource(place.value, place.path)
        if place.type == "Bundle":
            yield from check_bundle(place.value, place.path)
        profiled += profiled_values(place)
        if has_markup:
            marked += marked_texts(place)
    yield from check_values(resource, profiled, seconds) if profiled else ()
    yield from narratives.warn_of_dead_links()
    yield from warn_of_markup(marked)
