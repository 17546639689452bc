"""The rules of services for clinical resources of a type: what a resource is about, and whether it can be true.

They hold for what people and software write, not for what documents tell: a document stays as it was signed.
"""

from typing import Protocol

from esante.core.types import Json
from esante.identity.access import Requester
from esante.identity.directory import Person


class TypeRules(Protocol):
    """The rules for the resources of one type."""

    def subjects(self, resource: Json) -> frozenset[str]:
        """Return what a resource is about, in the words of exceptions from the access matrix (`Item.subjects`)."""

    def check(self, requester: Requester, person: Person, resource: Json) -> None:
        """Raise `Problem`, with a place that begins with the type, for a resource that the requester may not write so.

        Called after the right to write was decided.
        """
