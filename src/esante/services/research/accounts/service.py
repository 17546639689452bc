"""The use cases of researchers: register, sign in with an access key, replace it; operators accept and suspend."""

import re
from collections.abc import Collection, Mapping
from uuid import UUID

from asyncpg import UniqueViolationError
from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
    network_of,
    origin_of,
)
from esante.identity.access import (
    SECRET_PATTERN,
    Access,
    Requester,
    generate_secret,
    hash_secret,
    require_operator,
)
from esante.services.research.accounts import account_store
from esante.services.research.accounts.account_store import AccountSearch
from esante.services.research.accounts.model import (
    Account,
    AccountChange,
    AccountChanged,
    AccountDeleted,
    AccountKeyReplaced,
    AccountRegistered,
    AccountStatus,
)
from esante.services.research.accounts.rules import status_after
from esante.services.research.terms import terms_on

ENTRY = "/researchers"
HOME = "/"
PAGE_SIZE = 20
MOST_COUNTED = 100
LONGEST_LINE = 200
SHORTEST, LONGEST = 10, 2_000
"""Characters of a reason."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Accounts:
    """The accounts of researchers. Every act is journalled; access keys are shown once, only their SHA-256 is kept."""

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._access = db, journal, access

    async def register(
        self, name: str, organization: str, email: str, origin: str, *, public_body: bool = False
    ) -> tuple[Account, str]:
        """Register a researcher; return the account with its access key.

        Raises: Problem 400 for a wrong text, 409 for an address that is taken, 429 after too many from a network.
        """
        account = Account(
            account_id=uuid7(),
            name=clean_text(name, 2, LONGEST_LINE, "name"),
            organization=clean_text(organization, 2, LONGEST_LINE, "organization"),
            email=clean_text(email, 5, LONGEST_LINE, "email"),
            public_body=public_body,
            status=AccountStatus.REGISTERED,
            registered_at=clock.now(),
        )
        if not _EMAIL.fullmatch(account.email):
            raise bad_request("email", N_("This is not an email address."), code="value")
        terms = terms_on(today())
        limits = {f"researcher:{network_of(origin)}": terms.per_origin}
        await self._access.count_attempts(limits, terms.window, None, origin)
        key = generate_secret()
        event = AccountRegistered(
            account_id=account.account_id, organization=account.organization, public_body=public_body
        )
        rows = self._journal.rows_for(account.requester(origin), event)
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [account_store.account_row(account, hash_secret(key)), *rows])
        except UniqueViolationError as error:
            raise Problem(
                409, "conflict", N_("There is an account with this email address already."), place="email"
            ) from error
        return account, key

    async def sign_in(self, request: Request, key: str) -> Response:
        """Start the session of the researcher who has an access key; return a redirect to their home page.

        Raises: Problem 400 for a key that nobody has or whose account is suspended, 429 after too many.
        """
        key, origin = key.strip(), origin_of(request)
        known = SECRET_PATTERN.fullmatch(key)
        account = await account_store.find_by_key(self._db, hash_secret(key)) if known else None
        if account is None or account.status is AccountStatus.SUSPENDED:
            subject, reason = (str(account.account_id), "suspended") if account else ("", "unknown_key")
            await self._access.refuse_sign_in(method="key", subject=subject, reason=reason, origin=origin)
            raise bad_request(
                "key", N_("This access key is not valid."), N_("Check it, or contact the helpdesk."), code="value"
            )
        return await self._access.sign_in(request, account.requester(origin), method="key", to=HOME)

    async def current(self, requester: Requester) -> Account:
        """Return the account that is signed in. Raises: Problem 303 to the page of sign-in when it has ended."""
        found = None
        if requester.kind == "researcher":
            found = await account_store.find_account(self._db, requester.id)
        if found is None or found.status is AccountStatus.SUSPENDED:
            raise Problem(
                303,
                "login",
                N_("You need to sign in."),
                remedy=N_("Sign in, then try again."),
                headers={"Location": ENTRY},
            )
        return found

    async def accepted(self, requester: Requester) -> Account:
        """Return the account that is signed in. Raises: Problem 303 as `current`, 409 for one that is not accepted."""
        found = await self.current(requester)
        if found.status is not AccountStatus.ACCEPTED:
            raise Problem(
                409,
                "conflict",
                N_("Your account has not been accepted yet."),
                remedy=N_("Wait until staff of the agency have accepted it."),
            )
        return found

    async def named(self, emails: Collection[str]) -> Mapping[str, Account]:
        """Return the accepted accounts with one of some email addresses, by the address in small letters."""
        wanted = {one.lower() for one in emails}
        return {one.email.lower(): one for one in await account_store.find_accepted(self._db, wanted)}

    async def of_ids(self, ids: Collection[UUID]) -> list[Account]:
        """Return accounts, by name; for decisions and for pages of those who may see them."""
        return await account_store.fetch_accounts(self._db, ids)

    async def replace_key(self, requester: Requester) -> str:
        """Return a new access key; the one before ends at once, and all sessions of the account with it."""
        account = await self.current(requester)
        key = generate_secret()
        async with self._db.transaction() as conn:
            await account_store.write_key(conn, account.account_id, hash_secret(key))
            event = AccountKeyReplaced(account_id=account.account_id)
            await insert(conn, self._journal.rows_for(requester, event))
        await self._access.end_sign_ins(account.account_id, actor=requester.actor)
        return key

    async def search(
        self, requester: Requester, text: str = "", status: str = "", cursor: str | None = None
    ) -> Page[Account]:
        """Return a page of accounts, newest first. Raises: Problem 400 for a wrong cursor, 403 but for operators."""
        require_operator(requester)
        wanted = AccountSearch(words=text.lower().split(), status=status)
        found = await account_store.search(self._db, wanted, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        following = encode_cursor(found[PAGE_SIZE - 1].account_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def find(self, requester: Requester, account_id: UUID) -> Account:
        """Return an account. Raises: Problem 403 for a requester who is not an operator, 404 for an unknown one."""
        require_operator(requester)
        return _found(await account_store.find_account(self._db, account_id))

    async def count_waiting(self) -> int:
        """Return how many accounts wait to be accepted; at most `MOST_COUNTED`."""
        return await account_store.count_registered(self._db, MOST_COUNTED)

    async def change(self, requester: Requester, account_id: UUID, change: AccountChange, reason: str = "") -> Account:
        """Accept, suspend or resume an account; a suspension ends its sessions.

        Raises: Problem 400 for a suspension without a reason, 403 for a requester who is not an operator, 404 for an
        unknown account, 409 for what is not possible now.
        """
        require_operator(requester)
        shortest = SHORTEST if change is AccountChange.SUSPENSION else 0
        reason = clean_text(reason, shortest, LONGEST, "reason")
        async with self._db.transaction() as conn:
            account = _found(await account_store.lock_account(conn, account_id))
            status = status_after(account.status, change)
            await account_store.write_status(conn, account_id, status, reason)
            event = AccountChanged(account_id=account_id, change=change.value, reason=reason)
            await insert(conn, self._journal.rows_for(requester, event))
        if status is AccountStatus.SUSPENDED:
            await self._access.end_sign_ins(account_id, actor=requester.actor)
        return await self.find(requester, account_id)

    async def tidy(self) -> None:
        """Delete the registrations that nobody accepted in time, with their drafts; to be run daily."""
        before = clock.now() - terms_on(today()).keep_unaccepted
        async with self._db.transaction() as conn:
            deleted = await account_store.delete_unaccepted(conn, before)
            rows = [row for id_ in deleted for row in self._journal.rows(AccountDeleted(account_id=id_))]
            await insert(conn, rows)


def _found(account: Account | None) -> Account:
    if account is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return account
