"""Presence codes: the person makes one, her doctor enters it, and it gives a grant once."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, insert, uuid7
from esante.core.web import N_, Problem
from esante.identity.access.authn.rate_limits import RateLimits
from esante.identity.access.consent import store
from esante.identity.access.consent.grants import Grants
from esante.identity.access.consent.lifecycle import locked_record, own_record
from esante.identity.access.consent.store import Code
from esante.identity.access.events import CodeIssued, CodeRefused
from esante.identity.access.matrix import Policy, policy
from esante.identity.access.model import Consent, Grant, GrantKind, RecordState, Requester

_GROUP = 4


class Codes:
    """Makes and takes presence codes."""

    def __init__(self, db: Database, journal: Journal, grants: Grants, limits: RateLimits) -> None:
        self._db, self._journal, self._grants, self._limits = db, journal, grants, limits

    async def issue(self, requester: Requester, lasts: timedelta | None = None) -> str:
        """A new code of the person's own, as XXXX-XXXX: the only time that it is known.

        `lasts`: how long the grant lasts that it gives (the policy's default). Problem 400 outside the
        policy's bounds, 409 when the record is not open or she opted out of sharing, 429 after too many.
        """
        person_id = own_record(requester)
        now = datetime.now(UTC)
        terms = policy(now.date())
        lasts = terms.code_default if lasts is None else lasts
        if not terms.code_min <= lasts <= terms.code_max:
            raise Problem(
                400,
                "value",
                N_("A code cannot last this long or this short."),
                place="lasts",
                remedy=N_("Choose from 1 hour to 365 days."),
            )
        limits = {f"issue:{person_id}": terms.attempts_per_requester}
        await self._limits.count_attempts(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)
        code = "".join(secrets.choice(terms.code_alphabet) for _ in range(terms.code_length))
        told = CodeIssued(hours=lasts / timedelta(hours=1), redeem_until=now + terms.code_redeem)
        async with self._db.transaction() as conn:
            record = await locked_record(conn, person_id, open_only=True)
            if not record.sharing:
                raise Problem(
                    409,
                    "conflict",
                    N_("You opted out of sharing, so nobody could use a code."),
                    remedy=N_("Turn sharing on first."),
                )
            entry = self._journal.rows(told, person_id=person_id, actor=requester.actor, origin=requester.origin)
            row = (code_hash(code), person_id, lasts, now + terms.code_redeem)
            await insert(conn, [(store.CODE, row), *entry])
        return shown(code)

    async def redeem(self, requester: Requester, text: str) -> Grant:
        """A practitioner enters a code, and gets the grant it stands for.

        A code that is wrong, expired, used, or of a record that he may not open is refused with one and the
        same Problem 404; 429 after too many attempts. Of two who enter one code at once, one gets the grant.
        """
        if requester.kind != "practitioner":
            raise Problem(403, "forbidden", N_("A code is for a health professional."), remedy=N_("Sign in as one."))
        now = datetime.now(UTC)
        terms = policy(now.date())
        await self._limits.guess(requester, terms)
        digest = code_hash(normalised(text, terms))
        async with self._db.transaction() as conn:
            code = await store.code(conn, digest)
            consent = await store.consent(conn, code.person_id) if code else None
            refusal = _refusal(code, consent, requester, now)
            if code and not refusal:
                grant = self._grant(code, requester, now)
                await store.use_code(conn, digest, now)
                await insert(conn, self._grants.give(grant, requester.actor, requester.origin))
                return grant
            await self._tell_refused(conn, code, requester, refusal)
        raise Problem(
            404,
            "not-found",
            N_("This code does not serve."),
            place="code",
            remedy=N_("Check it, or ask the patient for a new one."),
        )

    def _grant(self, code: Code, requester: Requester, now: datetime) -> Grant:
        return Grant(
            id=uuid7(),
            person_id=code.person_id,
            kind=GrantKind.PRESENCE,
            holder_kind=requester.kind,
            holder_id=requester.id,
            holder=requester.name,
            since=now,
            until=now + code.lasts,
        )

    async def _tell_refused(self, conn: Connection, code: Code | None, requester: Requester, refusal: str) -> None:
        told = CodeRefused(allowed=False, rule=f"code.{refusal}", reason="refused")
        person_id = code.person_id if code else NIL
        rows = self._journal.rows(told, person_id=person_id, actor=requester.actor, origin=requester.origin)
        await insert(conn, rows)


def normalised(text: str, terms: Policy) -> str:
    """A code as it was written or said: case, blanks and dashes do not matter; "" when it cannot be one."""
    if len(text) > 64:
        return ""
    code = "".join(char for char in text.upper() if char.isalnum())
    return code if len(code) == terms.code_length and set(code) <= set(terms.code_alphabet) else ""


def shown(code: str) -> str:
    """A code in groups of four."""
    return "-".join(code[place : place + _GROUP] for place in range(0, len(code), _GROUP))


def code_hash(code: str) -> bytes:
    """What is kept of a code."""
    return hashlib.sha256(b"esante presence code\n" + code.encode()).digest()


def _refusal(code: Code | None, consent: Consent | None, requester: Requester, now: datetime) -> str:
    """Why a code is refused; "" when it is not."""
    if code is None or consent is None:
        return "unknown"
    if code.used_at is not None:
        return "used"
    if code.expires_at <= now:
        return "expired"
    if consent.state is not RecordState.OPEN or not consent.sharing or consent.deceased_at is not None:
        return "closed"
    if requester.id in consent.blocked or requester.organization_id in consent.blocked:
        return "blocked"
    return ""
