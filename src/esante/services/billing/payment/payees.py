"""The accounts to which professionals are paid: named by them, checked with the bank, confirmed by an operator."""

from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.web import Page
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.billing.payment.model import Payee, PayeeState


class Payees:
    """The accounts of all professionals and associations."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def propose(self, requester: Requester, provider_code: str, iban: str, name: str) -> Payee:
        """Name the account for a provider code; the bank is asked whether `name` is its holder.

        Payments go to it once an operator has confirmed it.
        Raises: `Problem` 404 for a code that is not the requester's, 400 for an IBAN or name that is none, 503 while
        the bank does not answer.
        """
        raise NotImplementedError

    async def confirm(self, requester: Requester, payee_id: UUID) -> Payee:
        """Confirm a proposed account; refused payments are asked again. Raises: `Problem` 403, 404, 409."""
        raise NotImplementedError

    async def refuse(self, requester: Requester, payee_id: UUID) -> Payee:
        """Refuse a proposed account. Raises: as `confirm`."""
        raise NotImplementedError

    async def withdraw(self, requester: Requester, payee_id: UUID) -> Payee:
        """Withdraw an account that the requester proposed and nobody has decided on. Raises: `Problem` 404, 409."""
        raise NotImplementedError

    async def of_provider(self, requester: Requester, provider_code: str) -> list[Payee]:
        """Return the accounts of a provider code, the newest first. Raises: `Problem` 404 for another's."""
        raise NotImplementedError

    async def search(
        self, requester: Requester, state: PayeeState | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Payee]:
        """Return a page of all accounts for operators, the newest first. Raises: `Problem` 403."""
        raise NotImplementedError
