"""Codes with which somebody adds their first passkey, or a new one for those that they lost.

A code serves together with a number of its holder in the directory; of a code only its SHA-256 is stored.
Source: RGD of 6 December 2019 (Memorial A909), article 2 (the letter), article 3(2) (activation opens the record).
"""

import hashlib
import secrets
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.time_zone import today
from esante.core.web import N_, Problem, clean_text, origin_of
from esante.identity.access import Access, RecordState, Requester, assurance_rules
from esante.identity.signin.accounts.holders import Holders, holder_of
from esante.identity.signin.activation import code_store
from esante.identity.signin.ceremonies import Ceremonies
from esante.identity.signin.model import CodePurpose, Holder, SignInCode, SignInCodeIssued
from esante.identity.signin.passkeys.service import (
    LONGEST_NAME,
    METHOD,
    SHORTEST_NAME,
    Passkeys,
    filed_under,
    not_added,
)
from esante.identity.signin.terms import SignInTerms, sign_in_terms

_PURPOSE = "activation"
_GROUP = 4
_LONGEST_INPUT = 64


class Activation:
    """Issues codes, and lets their holders add a passkey with them."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        holders: Holders,
        ceremonies: Ceremonies,
        passkeys: Passkeys,
    ) -> None:
        self._db, self._journal, self._access = db, journal, access
        self._holders, self._ceremonies, self._passkeys = holders, ceremonies, passkeys

    async def issue(self, conn: Connection, requester: Requester, holder: Holder, purpose: CodePurpose) -> str:
        """Issue a code in place of one that was not used, within a transaction; return it in groups; journalled."""
        terms, now = sign_in_terms(today()), clock.now()
        code = "".join(secrets.choice(terms.code_alphabet) for _ in range(terms.code_length))
        issued = SignInCode(
            code_hash=_hash(code),
            holder_kind=holder.kind,
            holder_id=holder.id,
            purpose=purpose,
            issued_at=now,
            expires_at=now + terms.validity[purpose],
        )
        event = SignInCodeIssued(
            holder_kind=holder.kind, holder_id=holder.id, purpose=purpose.value, until=issued.expires_at
        )
        await code_store.delete_open(conn, holder.id)
        rows = self._journal.rows_for(requester, event, person_id=filed_under(holder))
        await insert(conn, [code_store.code_row(issued), *rows])
        return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))

    async def issue_first(self, requester: Requester, holder: Holder) -> str:
        """Issue the code for the first passkey; return it. For a patient the record is announced with it.

        Raises: Problem 409 for a holder who has passkeys: they need a recovery.
        """
        if await self._passkeys.list_of(holder.id):
            raise Problem(
                409,
                "conflict",
                N_("This account is active already."),
                remedy=N_("If all passkeys are lost, ask for a recovery of the account."),
            )
        async with self._db.transaction() as conn:
            code = await self.issue(conn, requester, holder, CodePurpose.ACTIVATION)
        if holder.kind == "patient":
            await self._access.lifecycle.announce([holder.id], actor=requester.actor)
        return code

    async def find_open(self, holder_id: UUID) -> SignInCode | None:
        """Return the code of a holder that was not used, or None."""
        return await code_store.find_open(self._db, holder_id)

    async def enter(self, request: Request, response: Response, code: str, number: str) -> None:
        """Remember for the browser that gets `response` that a code was entered with a number of its holder.

        Raises: Problem 400, the same for every reason, 429 after too many; counted and journalled.
        """
        terms = sign_in_terms(today())
        found = await self._find(code, terms)
        reason = await self._refusal(found, number, terms)
        if found is None or reason:
            await self._access.refuse_sign_in(
                method="code",
                reason=reason,
                origin=origin_of(request),
                subject=str(found.holder_id) if found else "",
            )
            raise Problem(
                400,
                "value",
                N_("The code and the number do not belong together, or the code is no longer valid."),
                place="code",
                remedy=N_("Check both as they stand in your letter. For a new letter, contact the helpdesk."),
            )
        content = {"code": found.code_hash.hex(), "challenge": secrets.token_hex(32)}
        await self._ceremonies.begin(request, response, _PURPOSE, content)

    async def _find(self, code: str, terms: SignInTerms) -> SignInCode | None:
        text = "".join(char for char in code.upper() if char.isalnum()) if len(code) <= _LONGEST_INPUT else ""
        known = len(text) == terms.code_length and set(text) <= set(terms.code_alphabet)
        return await code_store.find_code(self._db, _hash(text)) if known else None

    async def _refusal(self, code: SignInCode | None, number: str, terms: SignInTerms) -> str:
        """Return why a code does not serve with a number; "" when it does. A wrong number is counted at the code."""
        if code is None:
            return "unknown_code"
        if code.used_at is not None or code.expires_at <= clock.now() or code.failures >= terms.code_failures:
            return "ended_code"
        if code.holder_kind == "operator":
            return ""
        known = await self._holders.identifiers(code.holder_kind, code.holder_id)
        if "".join(number[:_LONGEST_INPUT].split()).replace("-", "") in {one.replace("-", "") for one in known}:
            return ""
        await code_store.count_failure(self._db, code.code_hash)
        return "number"

    async def offer(self, request: Request) -> tuple[Holder, str] | None:
        """Return whose code the browser of a request entered, and the options (JSON) for their passkey; or None."""
        ceremony = await self._ceremonies.find(request, _PURPOSE)
        code = await code_store.find_code(self._db, bytes.fromhex(ceremony["code"])) if ceremony else None
        requester = await self._holders.find(code.holder_kind, code.holder_id) if code else None
        if ceremony is None or requester is None:
            return None
        holder = holder_of(requester)
        return holder, await self._passkeys.creation_options(holder, bytes.fromhex(ceremony["challenge"]))

    async def enrol(self, request: Request, answer: str, name: str) -> Response:
        """Add the passkey that a browser made after its code was entered; sign its holder in.

        The code is used up; after a recovery the earlier passkeys and sign-ins end. A patient who was only announced
        opens their record by it. Raises: Problem 400, 409, and as `Access.sign_in`.
        """
        name = clean_text(name, SHORTEST_NAME, LONGEST_NAME, "name")
        ceremony = await self._ceremonies.take(request, _PURPOSE)
        if ceremony is None:
            raise not_added()
        made = self._passkeys.check_creation(answer, bytes.fromhex(ceremony["challenge"]))
        most_failures = sign_in_terms(today()).code_failures
        async with self._db.transaction() as conn:
            code = await code_store.use_code(conn, bytes.fromhex(ceremony["code"]), most_failures, clock.now())
            requester = await self._holders.find(code.holder_kind, code.holder_id) if code else None
            if code is None or requester is None:
                raise not_added()
            holder = holder_of(requester)
            if code.purpose is CodePurpose.RECOVERY:
                await self._passkeys.replace_all(conn, holder, requester)
            await self._passkeys.insert(conn, holder, made, name, requester, code.purpose.value)
        if code.purpose is CodePurpose.RECOVERY:
            await self._access.end_sign_ins(holder.id, actor=requester.actor)
        to = await self._holders.first_page(requester, "/")
        level = assurance_rules(today()).methods[METHOD]
        response = await self._access.sign_in(request, requester, method=METHOD, to=to, assurance=level)
        await self._open_record(requester)
        return response

    async def _open_record(self, requester: Requester) -> None:
        """Open the record of a patient who was only announced."""
        record = await self._access.lifecycle.find_record(requester.id) if requester.kind == "patient" else None
        if record is not None and record.state is RecordState.ANNOUNCED:
            await self._access.lifecycle.change(requester, "activate")

    async def tidy(self) -> None:
        """Delete codes that expired long ago."""
        await code_store.delete_old(self._db, clock.now() - sign_in_terms(today()).validity[CodePurpose.ACTIVATION])


def _hash(code: str) -> bytes:
    return hashlib.sha256(b"esante sign-in code\n" + code.encode()).digest()
