"""Whose record a message is about, and whether somebody abroad may open it."""

from dataclasses import dataclass
from uuid import UUID

from esante.core import clock
from esante.identity.access import Access, Requester, Verdict, decide_opening
from esante.identity.directory import Directory
from esante.services.exchange.connector.patients import find_by_cx


@dataclass(frozen=True, slots=True)
class Opening:
    """The person of a message (the nil key for nobody), and the verdict on opening their record."""

    person_id: UUID
    verdict: Verdict

    @property
    def allowed(self) -> bool:
        """Whether the record may be opened; of nobody it may not."""
        return self.verdict.allowed


async def open_record(directory: Directory, access: Access, requester: Requester, patient: str) -> Opening:
    """Return whether somebody abroad may open the record of a patient (CX).

    What is read is the same whether there is such a person or not.
    """
    person_id = await find_by_cx(directory, patient)
    return Opening(person_id, await decide_record(access, requester, person_id))


async def decide_record(access: Access, requester: Requester, person_id: UUID) -> Verdict:
    """Return the verdict on opening the record of a person: for somebody abroad, by the consent for their country."""
    return decide_opening(await access.consent(person_id), requester, clock.now())
