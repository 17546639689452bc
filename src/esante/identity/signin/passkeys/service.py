"""The use cases of passkeys: sign in, confirm before a sensitive act, add, rename and remove."""

import secrets
from uuid import UUID

from asyncpg import UniqueViolationError
from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, insert
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, clean_text, origin_of
from esante.identity.access import ASSURANCE_LEVELS, METHODS_WITHOUT_LEVEL, Access, Requester, assurance_rules
from esante.identity.signin.accounts.holders import Holders, holder_of
from esante.identity.signin.ceremonies import Ceremonies
from esante.identity.signin.model import Holder, Passkey, PasskeyAdded, PasskeyRemoved
from esante.identity.signin.passkeys import passkey_store
from esante.identity.signin.passkeys.relying_party import NewCredential, PasskeyRefused, RelyingParty
from esante.identity.signin.terms import sign_in_terms

METHOD = "passkey"
SHORTEST_NAME, LONGEST_NAME = 1, 60
_SIGN_IN, _ADD = "passkey-sign-in", "passkey-add"
_CHALLENGE_BYTES = 32


class Passkeys:
    """The passkeys of holders. `party`: the platform as browsers know it."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        holders: Holders,
        ceremonies: Ceremonies,
        base_url: str,
    ) -> None:
        self._db, self._journal, self._access = db, journal, access
        self._holders, self._ceremonies = holders, ceremonies
        self.party = RelyingParty(base_url)

    # Signing in

    async def begin_sign_in(self, request: Request, requester: Requester | None) -> Response:
        """Return the options (JSON) with which a browser asks for a passkey, and remember their challenge.

        `requester`: who is signed in and confirms that it is still them; None: whoever has a passkey.
        """
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        own = await self.list_of(holder_of(requester).id) if requester else []
        options = self.party.request_options(challenge, [one.credential_id for one in own])
        response = Response(options, media_type="application/json", headers={"Cache-Control": "no-store"})
        await self._ceremonies.begin(request, response, _SIGN_IN, {"challenge": challenge.hex()})
        return response

    async def sign_in(self, request: Request, answer: str, to: str) -> Response:
        """Start the session of the holder whose passkey signed; return a redirect to `to`.

        Raises: Problem 403 for an answer that is not valid, 429 after too many; journalled. Else as `Access.sign_in`.
        """
        passkey = await self._check(request, answer)
        requester = await self._holders.find(passkey.holder_kind, passkey.holder_id)
        if requester is None:
            raise await self._refuse(request, PasskeyRefused("ended"), passkey)
        return await self._access.sign_in(
            request, requester, method=METHOD, to=await self._holders.first_page(requester, to), assurance=_level()
        )

    async def confirm(self, request: Request, requester: Requester, answer: str, to: str) -> Response:
        """Keep that whoever is signed in used a passkey of theirs; return a redirect to `to`. Raises: as `sign_in`."""
        passkey = await self._check(request, answer)
        if passkey.holder_id != holder_of(requester).id:
            raise await self._refuse(request, PasskeyRefused("holder"), passkey)
        return await self._access.confirm(request, method=METHOD, assurance=_level(), to=to)

    async def _check(self, request: Request, answer: str) -> Passkey:
        """Return the passkey that signed the challenge of the browser of a request. Raises: Problem 403, 429."""
        ceremony = await self._ceremonies.take(request, _SIGN_IN)
        passkey = None
        try:
            if ceremony is None:
                raise PasskeyRefused("challenge")
            assertion = self.party.parse_assertion(answer)
            passkey = await passkey_store.find_passkey(self._db, assertion.credential_id)
            if passkey is None:
                raise PasskeyRefused("unknown")
            count = self.party.check_assertion(assertion, bytes.fromhex(ceremony["challenge"]), passkey)
            if not await passkey_store.mark_used(self._db, passkey.credential_id, count, clock.now()):
                raise PasskeyRefused("counter")
        except PasskeyRefused as error:
            raise await self._refuse(request, error, passkey) from error
        return passkey

    async def _refuse(self, request: Request, error: PasskeyRefused, passkey: Passkey | None) -> Problem:
        """Count and journal a refusal; return it, the same for every reason. Raises: Problem 429 after too many."""
        subject = str(passkey.holder_id) if passkey else ""
        await self._access.refuse_sign_in(
            method=METHOD, reason=error.reason, origin=origin_of(request), subject=subject
        )
        return Problem(
            403,
            "sign-in-refused",
            N_("This passkey could not be used."),
            remedy=N_("Try again. If it does not work, use another passkey or contact the helpdesk."),
        )

    # Keeping

    async def list_of(self, holder_id: UUID) -> list[Passkey]:
        """Return the passkeys of a holder, the oldest first."""
        return await passkey_store.fetch_passkeys(self._db, holder_id)

    async def creation_options(self, holder: Holder, challenge: bytes) -> str:
        """Return the options (JSON) for a new passkey of a holder."""
        known = [one.credential_id for one in await self.list_of(holder.id)]
        return self.party.creation_options(holder, challenge, known)

    async def begin_adding(self, requester: Requester) -> tuple[str, dict[str, str]]:
        """Return the options (JSON) for a further passkey, and what to remember of them (`_ADD`).

        Raises: Problem 403 for somebody who signed in with a lower level of assurance than a passkey has.
        """
        _require_level(requester)
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        holder = holder_of(requester)
        return await self.creation_options(holder, challenge), {
            "challenge": challenge.hex(),
            "holder_id": str(holder.id),
        }

    async def remember_adding(self, request: Request, response: Response, content: dict[str, str]) -> None:
        """Remember what `begin_adding` returned, for the browser that gets `response`."""
        await self._ceremonies.begin(request, response, _ADD, content)

    async def add(self, request: Request, requester: Requester, answer: str, name: str) -> Passkey:
        """Add the passkey that a browser made for whoever is signed in; journalled.

        Raises: Problem 400 for an answer that is not valid or a name, 403 as `begin_adding`, 409 for one passkey too
        many or a known one.
        """
        _require_level(requester)
        holder = holder_of(requester)
        name = clean_text(name, SHORTEST_NAME, LONGEST_NAME, "name")
        ceremony = await self._ceremonies.take(request, _ADD)
        if ceremony is None or ceremony["holder_id"] != str(holder.id):
            raise not_added()
        made = self.check_creation(answer, bytes.fromhex(ceremony["challenge"]))
        async with self._db.transaction() as conn:
            return await self.insert(conn, holder, made, name, requester)

    def check_creation(self, answer: str, challenge: bytes) -> NewCredential:
        """Return the credential that a browser made. Raises: Problem 400 for an answer that is not valid."""
        try:
            return self.party.check_creation(answer, challenge)
        except PasskeyRefused as error:
            raise not_added() from error

    async def insert(
        self,
        conn: Connection,
        holder: Holder,
        made: NewCredential,
        name: str,
        requester: Requester,
        purpose: str = "",
    ) -> Passkey:
        """Insert a new passkey of a holder with its entry, within a transaction. Raises: Problem 409."""
        if len(await passkey_store.lock_passkeys(conn, holder.id)) >= sign_in_terms(today()).most_passkeys:
            raise Problem(
                409, "conflict", N_("You have too many passkeys."), remedy=N_("Remove one that you no longer use.")
            )
        passkey = Passkey(
            credential_id=made.credential_id,
            holder_kind=holder.kind,
            holder_id=holder.id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            name=name,
            synced=made.synced,
            added_at=clock.now(),
        )
        event = PasskeyAdded(holder_kind=holder.kind, holder_id=holder.id, purpose=purpose)
        rows = self._journal.rows_for(requester, event, person_id=filed_under(holder))
        try:
            await insert(conn, [passkey_store.passkey_row(passkey), *rows])
        except UniqueViolationError as error:
            raise Problem(
                409, "conflict", N_("This passkey is in use already."), remedy=N_("Use another device.")
            ) from error
        return passkey

    async def rename(self, requester: Requester, credential_id: bytes, name: str) -> None:
        """Give one's own passkey another name. Raises: Problem 400 for the name, 404 for an unknown passkey."""
        name = clean_text(name, SHORTEST_NAME, LONGEST_NAME, "name")
        if not await passkey_store.rename(self._db, holder_of(requester).id, credential_id, name):
            raise Problem(404, "not-found", NOT_FOUND)

    async def remove(self, requester: Requester, credential_id: bytes) -> None:
        """Remove one's own passkey; journalled.

        Raises: Problem 404 for an unknown one, 409 for the last: without it nobody could sign in.
        """
        holder = holder_of(requester)
        async with self._db.transaction() as conn:
            own = await passkey_store.lock_passkeys(conn, holder.id)
            if credential_id not in {one.credential_id for one in own}:
                raise Problem(404, "not-found", NOT_FOUND)
            if len(own) == 1:
                raise Problem(
                    409,
                    "conflict",
                    N_("This is your only passkey. Without it you could not sign in."),
                    remedy=N_("Add another passkey first."),
                )
            await passkey_store.delete_passkey(conn, credential_id)
            event = PasskeyRemoved(holder_kind=holder.kind, holder_id=holder.id, count=1, cause="holder")
            await insert(conn, self._journal.rows_for(requester, event, person_id=filed_under(holder)))

    async def replace_all(self, conn: Connection, holder: Holder, requester: Requester) -> None:
        """Remove all passkeys of a holder who lost them, within a transaction; journalled."""
        count = await passkey_store.delete_passkeys(conn, holder.id)
        event = PasskeyRemoved(holder_kind=holder.kind, holder_id=holder.id, count=count, cause="recovery")
        await insert(conn, self._journal.rows_for(requester, event, person_id=filed_under(holder)))


def filed_under(holder: Holder) -> UUID:
    """Return the person under whom events about a holder are filed: a patient, or nobody (the nil UUID)."""
    return holder.id if holder.kind == "patient" else NIL


def not_added() -> Problem:
    """Return the refusal of a passkey that could not be added."""
    return Problem(
        400, "value", N_("The passkey could not be added."), remedy=N_("Open the page again and try once more.")
    )


def _require_level(requester: Requester) -> None:
    """Raise Problem 403 for somebody who signed in with a lower level of assurance than a passkey would give them."""
    how = requester.authentication
    if how is not None and how.method in METHODS_WITHOUT_LEVEL:
        return
    stated = how.assurance if how is not None else ""
    if ASSURANCE_LEVELS.index(stated) < ASSURANCE_LEVELS.index(_level()):
        raise Problem(
            403,
            "assurance",
            N_("This way of signing in is not sure enough to add a passkey."),
            remedy=N_("Sign in in another way, or ask the helpdesk for an activation letter."),
        )


def _level() -> str:
    return assurance_rules(today()).methods[METHOD]
