"""The six calls of a contact point to its own country. Whoever answers them decides on access, for each call anew."""

from collections.abc import Collection, Sequence
from typing import Protocol

from esante.identity.access import Requester
from esante.services.exchange.connector.model import (
    Dispensation,
    Fetched,
    Found,
    OfferedList,
    Submitted,
)
from esante.services.exchange.connector.offers import Offer
from esante.services.exchange.hl7v3.model import PatientQuery


class NationalConnector(Protocol):
    """What a contact point asks of its country for a professional abroad.

    `patient`: a patient as CX, such as `1234^^^&1.2.3&ISO`. Whom or what the requester may not see is not there.
    """

    async def find_patients(self, requester: Requester, query: PatientQuery) -> Found:
        """Return the patients of a query."""

    async def list_documents(self, requester: Requester, patient: str, offers: Sequence[Offer]) -> OfferedList:
        """Return the documents of some classes of a patient, the newest first."""

    async def list_prescriptions(self, requester: Requester, patient: str, offer: Offer) -> OfferedList:
        """Return the prescriptions of a patient, each with what a pharmacist chooses by, and whether it is open."""

    async def fetch(self, requester: Requester, patient: str, unique_id: str, classes: Collection[str]) -> Fetched:
        """Return a document of one of some classes by its unique id."""

    async def submit(self, requester: Requester, patient: str, dispensation: Dispensation) -> Submitted:
        """Take a dispensation; for one that was answered before, return the same answer."""

    async def discard(self, requester: Requester, patient: str, dispensation: Dispensation) -> Submitted:
        """Take back a dispensation; for one that was answered before, return the same answer."""
