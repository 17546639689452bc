"""The accounts to which professionals are paid: named by them, checked with the bank, confirmed by an operator."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.sepa import MAX_NAME, parse_iban
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory
from esante.services.billing.payment import payee_store, transfer_store
from esante.services.billing.payment.bank import Bank, BankSilent
from esante.services.billing.payment.model import Payee, PayeeDecided, PayeeProposed, PayeeState
from esante.services.billing.payment.service import Payments


class Payees:
    """The accounts of all professionals and associations."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, bank: Bank, payments: Payments) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._bank, self._payments = bank, payments

    async def propose(self, requester: Requester, provider_code: str, iban: str, name: str) -> Payee:
        """Name the account for a provider code; the bank is asked whether `name` is its holder.

        Payments go to it once an operator has confirmed it.
        Raises: `Problem` 404 for a code that is not the requester's, 400 for an IBAN or name that is none, 503 while
        the bank does not answer.
        """
        await self._require_code(requester, provider_code)
        iban, name = parse_iban(iban), clean_text(name, 2, MAX_NAME, "name")
        try:
            match, bank_name = await self._bank.match_name(iban, name)
        except BankSilent as error:
            raise Problem(
                503,
                "transient",
                N_("The bank cannot check the name of the account's holder at the moment."),
                remedy=N_("Nothing has been changed. Try again in a moment."),
                headers={"Retry-After": "30"},
            ) from error
        payee = Payee(
            id=uuid7(),
            provider_code=provider_code,
            iban=iban,
            name=name,
            match=match,
            bank_name=bank_name,
            state=PayeeState.PROPOSED,
            proposed_by=requester.id,
            proposer=requester.name,
            proposed_at=clock.now(),
        )
        event = PayeeProposed(payee_id=payee.id, provider_code=provider_code, match=match.value)
        await self._db.write([payee_store.payee_row(payee), *self._journal.rows_for(requester, event)])
        return payee

    async def confirm(self, requester: Requester, payee_id: UUID) -> Payee:
        """Confirm a proposed account; refused payments are asked again. Raises: `Problem` 403, 404, 409."""
        require_operator(requester)

        async def retry(conn: Connection, payee: Payee) -> None:
            now = clock.now()
            retried = await transfer_store.retry_refused(conn, now, provider_code=payee.provider_code)
            await insert(conn, self._payments.retried_rows(requester, retried))

        return await self._decide(requester, payee_id, PayeeState.CONFIRMED, lambda payee: True, retry)

    async def refuse(self, requester: Requester, payee_id: UUID) -> Payee:
        """Refuse a proposed account. Raises: as `confirm`."""
        require_operator(requester)
        return await self._decide(requester, payee_id, PayeeState.REFUSED, lambda payee: True)

    async def withdraw(self, requester: Requester, payee_id: UUID) -> Payee:
        """Withdraw an account that the requester proposed and nobody has decided on. Raises: `Problem` 404, 409."""
        return await self._decide(
            requester, payee_id, PayeeState.WITHDRAWN, lambda payee: payee.proposed_by == requester.id
        )

    async def of_provider(self, requester: Requester, provider_code: str) -> list[Payee]:
        """Return the accounts of a provider code, the newest first. Raises: `Problem` 404 for another's."""
        await self._require_code(requester, provider_code)
        return await payee_store.fetch_payees(self._db, provider_code)

    async def search(
        self,
        requester: Requester,
        state: PayeeState | None = None,
        cursor: str | None = None,
        limit: int = 20,
        *,
        text: str = "",
    ) -> Page[Payee]:
        """Return a page of all accounts for operators, the newest first; `text`: a part of a name or the code.

        Raises: `Problem` 403.
        """
        require_operator(requester)
        found = await payee_store.search_payees(self._db, state, text, decode_uuid_cursor(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def count_proposed(self) -> int:
        """Return how many accounts wait for an operator."""
        return await payee_store.count_proposed(self._db)

    async def _decide(
        self,
        requester: Requester,
        payee_id: UUID,
        state: PayeeState,
        may: Callable[[Payee], bool],
        then: Callable[[Connection, Payee], Awaitable[None]] | None = None,
    ) -> Payee:
        """Set the state of a proposed account in one transaction; repeating it changes nothing."""
        now = clock.now()
        async with self._db.transaction() as conn:
            payee = await payee_store.lock_payee(conn, payee_id)
            if payee is None or not may(payee):
                raise Problem(404, "not-found", NOT_FOUND)
            if payee.state is state:
                return payee
            if payee.state is not PayeeState.PROPOSED:
                raise Problem(409, "conflict", N_("This account was decided on already."))
            await payee_store.decide(conn, payee_id, state, now, requester.name)
            event = PayeeDecided(payee_id=payee_id, provider_code=payee.provider_code, state=state.value)
            await insert(conn, self._journal.rows_for(requester, event))
            if then is not None:
                await then(conn, payee)
        return replace(payee, state=state, decided_at=now, decider=requester.name)

    async def _require_code(self, requester: Requester, provider_code: str) -> None:
        """Raise `Problem` 404 unless a code is a practitioner's own, or that of the organisation they act for.

        Staff who act for the practitioner, and software, cannot change where money goes.
        """
        if requester.kind == "practitioner" and requester.delegate is None and requester.scopes is None:
            system = self._directory.catalogue.system("provider_code").uri
            own = await self._directory.practitioner(requester.id)
            site = requester.organization_id and await self._directory.organization(requester.organization_id)
            identifiers = [one for entry in (own, site) if entry for one in entry.identifiers]
            if any(one.system == system and one.value == provider_code for one in identifiers):
                return
        raise Problem(404, "not-found", NOT_FOUND)
