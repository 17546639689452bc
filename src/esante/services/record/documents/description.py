"""What services say of the documents of their categories: in a DocumentReference, and as parameters of ITI-67."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from esante.core.fhir.rest import SearchParams
from esante.core.types import Json
from esante.identity.access import Requester
from esante.services.record.model import Document

Predicate = Callable[[Document], bool]


class DocumentDescriber(Protocol):
    """A service that describes the documents of a category."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters that it adds to the search of DocumentReference, with their types."""
        ...

    async def predicates(self, requester: Requester, person_id: UUID, params: SearchParams) -> Sequence[Predicate]:
        """Return what its parameters demand of a document; what the requester may not see has no part in it."""
        ...

    async def describe(self, requester: Requester, documents: Sequence[Document], resources: Sequence[Json]) -> None:
        """Complete the DocumentReference of each document, which the requester may see."""
        ...


class Descriptions:
    """The describers, by category (`register`)."""

    def __init__(self) -> None:
        self._describers: dict[str, DocumentDescriber] = {}

    def register(self, category: str, describer: DocumentDescriber) -> None:
        """Let a service describe the documents of a category."""
        self._describers[category] = describer

    @property
    def parameters(self) -> frozenset[str]:
        """The search parameters of all describers."""
        return frozenset(name for one in self._describers.values() for name in one.parameters)

    async def predicates(self, requester: Requester, person_id: UUID, params: SearchParams) -> list[Predicate]:
        """Return what the parameters of services in a search demand; nothing is read where it has none."""
        found: list[Predicate] = []
        for one in self._describers.values():
            if any(name in one.parameters for name, _ in params.pairs):
                found += await one.predicates(requester, person_id, params)
        return found

    async def describe(self, requester: Requester, documents: Sequence[Document], resources: Sequence[Json]) -> None:
        """Complete the DocumentReferences of documents of one person."""
        for category, one in self._describers.items():
            pairs = [pair for pair in zip(documents, resources, strict=True) if pair[0].category == category]
            if pairs:
                await one.describe(requester, [document for document, _ in pairs], [resource for _, resource in pairs])
