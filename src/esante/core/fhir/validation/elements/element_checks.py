"""All checks of single elements, in one walk over the resource."""

from collections.abc import Callable, Iterator
from math import inf
from time import thread_time

from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.profiles import ProfiledValue, check_values
from esante.core.fhir.validation.canonical import check_canonical_resource
from esante.core.fhir.validation.elements.absent_values import check_absent_value
from esante.core.fhir.validation.elements.addresses import check_address, check_identifier
from esante.core.fhir.validation.elements.bundles import check_bundle
from esante.core.fhir.validation.elements.codings import check_code_form, check_coding
from esante.core.fhir.validation.elements.definitions import profiled_values
from esante.core.fhir.validation.elements.expressions import check_expressions
from esante.core.fhir.validation.elements.extensions import check_extensions
from esante.core.fhir.validation.elements.narratives import Narratives
from esante.core.fhir.validation.elements.places import Item, Place, iterate_places
from esante.core.fhir.validation.elements.references import Targets
from esante.core.fhir.validation.elements.texts import ElementIds, has_markup, warn_of_markup
from esante.core.types import Json

_CLOCK_INTERVAL = 64
"""Objects after which the clock is checked."""


def check_elements(resource: Json, seconds: float = inf) -> Iterator[Finding]:
    """Yield a finding for everything that is wrong with single elements beyond their structure.

    The structure of `resource` must be valid. A check that would take more than `seconds` of processor time ends with
    a warning.
    """
    end = thread_time() + seconds
    checks = _ElementChecks(resource)
    for number, place in enumerate(iterate_places(resource), 1):
        yield from checks.check(place)
        if not number % _CLOCK_INTERVAL and thread_time() > end:
            text = f"Not every element was checked: that would take more than {seconds} seconds of processor time."
            yield Finding("warning", "too-costly", (), text)
            break
    yield from checks.finish(max(0, end - thread_time()))


class _ElementChecks:
    """The checks, with what they collect in one resource."""

    def __init__(self, resource: Json) -> None:
        self._resource = resource
        self._targets = Targets(resource)
        self._ids = ElementIds()
        self._narratives = Narratives()
        self._marked: list[ElementPath] = []
        self._profiled: list[ProfiledValue] = []
        #: Checks of the objects of one type.
        self._by_type: dict[str, Callable[[Place], Iterator[Finding]]] = {
            "Bundle": lambda place: check_bundle(place.value, place.path),
            "Coding": check_coding,
            "Identifier": check_identifier,
            "Narrative": self._narratives.check,
            "Quantity": check_coding,
            "Reference": self._targets.check_reference,
        }

    def check(self, place: Place) -> Iterator[Finding]:
        """Yield what is wrong with an object and its values."""
        value = place.value
        if place.type in self._by_type:
            yield from self._by_type[place.type](place)
        if "extension" in value or "modifierExtension" in value:
            yield from check_extensions(place)
        if "id" in value:
            yield from self._ids.check(place)
        if place.element is None:
            yield from check_canonical_resource(value, place.path)
        yield from check_expressions(place)
        self._profiled += profiled_values(place)
        for item in place.items:
            if item.definition.extension:
                yield from check_absent_value(place, item)
            elif type(item.value) is str:
                yield from self._check_text(place, item)

    def _check_text(self, place: Place, item: Item) -> Iterator[Finding]:
        yield from check_address(item)
        yield from check_code_form(item)
        yield from self._targets.check_canonical(place, item)
        if has_markup(item):
            self._marked.append(item.path)

    def finish(self, seconds: float) -> Iterator[Finding]:
        """Yield problems that only the whole resource shows; profiles are checked for `seconds` of processor time."""
        if self._profiled and seconds:
            yield from check_values(self._resource, self._profiled, seconds)
        yield from self._narratives.warn_of_dead_links()
        yield from warn_of_markup(self._marked)
