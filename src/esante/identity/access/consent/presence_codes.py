"""Presence codes: a patient issues a code, a practitioner redeems it, and it gives one grant."""

import hashlib
import secrets
from datetime import datetime, timedelta

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Database, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, Problem, bad_request
from esante.identity.access.authn.rate_limits import RateLimits
from esante.identity.access.consent import code_store, store
from esante.identity.access.consent.code_store import PresenceCode
from esante.identity.access.consent.grants import Grants, offered_context, require_own_act
from esante.identity.access.consent.lifecycle import lock_record, require_acts_alone, require_own_record
from esante.identity.access.events import CodeIssued, CodeRefused
from esante.identity.access.model import Consent, Grant, GrantKind, RecordState, Requester
from esante.identity.access.regulation.contexts import Context
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.regulation.terms import Policy

_GROUP_LENGTH = 4
_MAX_INPUT = 64
"""Longest text in which a code is looked for, in characters."""


class PresenceCodes:
    """Issues and redeems presence codes."""

    def __init__(self, db: Database, journal: Journal, grants: Grants, limits: RateLimits) -> None:
        self._db, self._journal, self._grants, self._limits = db, journal, grants, limits

    async def issue(self, requester: Requester, duration: timedelta | None = None) -> str:
        """Issue a code for the requester's own record; return it as XXXX-XXXX. Only its hash is stored.

        `duration`: how long the grant of the code lasts (None: the default of the policy).
        Raises: Problem 400 for a duration that is shorter than the policy allows or longer than the ceiling of its
        context, 403 for a requester who is not a patient, or where there are no codes, 409 when the record is not open
        or not shared, 429 after too many codes.
        """
        person_id = require_own_record(requester)
        now = clock.now()
        terms = policy(day_of(now))
        longest = longest_duration(offered_context(GrantKind.PRESENCE, now))
        duration = terms.code_default or longest if duration is None else duration
        if not terms.code_min <= duration <= longest:
            raise bad_request(
                "lasts",
                N_("A code cannot be valid for this length of time."),
                N_("Choose one of the durations."),
                code="value",
            )
        limits = {f"issue:{person_id}": terms.attempts_per_requester}
        await self._limits.count_attempts(limits, terms.attempt_window, actor=requester.actor, origin=requester.origin)
        code = "".join(secrets.choice(terms.code_alphabet) for _ in range(terms.code_length))
        event = CodeIssued(hours=duration / timedelta(hours=1), redeem_until=now + terms.code_redeem)
        async with self._db.transaction() as conn:
            await require_acts_alone(conn, requester)
            record = await lock_record(conn, person_id, open_only=True)
            if not record.sharing:
                raise Problem(
                    409,
                    "conflict",
                    N_("Nobody can use a presence code because you turned off sharing."),
                    remedy=N_("Turn on sharing first."),
                )
            row = (hash_code(code), person_id, duration, now + terms.code_redeem)
            entry = self._journal.rows_for(requester, event, person_id=person_id)
            await insert(conn, [(code_store.CODE, row), *entry])
        return format_code(code)

    async def redeem(self, requester: Requester, text: str) -> Grant:
        """Redeem the code that a practitioner entered; return its grant. Of concurrent attempts one gets the grant.

        The code also proves the presence at the organisation for which the practitioner acts: its stays give access,
        also when the person had refused them.

        Raises: Problem 403 for a requester who is not a practitioner, 404 (always the same) for a code that is wrong,
        expired, used, or of a record that the practitioner may not open, 429 after too many attempts.
        """
        if requester.kind != "practitioner":
            raise Problem(
                403,
                "forbidden",
                N_("Only a health professional can use a code."),
                remedy=N_("Sign in as a health professional."),
            )
        require_own_act(requester)
        now = clock.now()
        terms, context = policy(day_of(now)), offered_context(GrantKind.PRESENCE, now)
        await self._limits.count_guess(requester, terms)
        digest = hash_code(normalize_code(text, terms))
        async with self._db.transaction() as conn:
            code = await code_store.lock_code(conn, digest)
            consent = await store.fetch_consent(conn, code.person_id) if code else None
            refusal = _refusal(code, consent, requester, now)
            if code and not refusal:
                grant = _grant_of(code, requester, context, now)
                await code_store.mark_code_used(conn, digest, now)
                await insert(conn, self._grants.grant_rows(grant, requester.actor, requester.origin))
                if requester.organization_id is not None:
                    await self._grants.prove_presence(
                        conn, grant.person_id, requester.organization_id, requester, "code"
                    )
                return grant
            event = CodeRefused(allowed=False, rule=f"code.{refusal}", reason="refused")
            await self._journal.append_for(requester, event, person_id=code.person_id if code else NIL, conn=conn)
        raise Problem(
            404,
            "not-found",
            N_("This code is not valid. It may be wrong, already used or expired."),
            place="code",
            remedy=N_("Check the code, or ask the patient for a new one."),
        )


def normalize_code(text: str, terms: Policy) -> str:
    """Return a code without case, blanks and dashes; "" when the text cannot be a code."""
    if len(text) > _MAX_INPUT:
        return ""
    code = "".join(char for char in text.upper() if char.isalnum())
    return code if len(code) == terms.code_length and set(code) <= set(terms.code_alphabet) else ""


def format_code(code: str) -> str:
    """Return a code in groups of four characters, separated by dashes."""
    return "-".join(code[start : start + _GROUP_LENGTH] for start in range(0, len(code), _GROUP_LENGTH))


def hash_code(code: str) -> bytes:
    """Return the SHA-256 by which a code is stored (32 bytes)."""
    return hashlib.sha256(b"esante presence code\n" + code.encode()).digest()


def longest_duration(context: Context) -> timedelta:
    """Return how long the grant of a code may last: as long as the ceiling; a year where the context has none."""
    return timedelta(days=context.days, hours=context.hours) or timedelta(days=365)


def _grant_of(code: PresenceCode, requester: Requester, context: Context, now: datetime) -> Grant:
    until = now + code.lasts
    ceiling = context.ceiling(now)
    return Grant(
        id=uuid7(),
        person_id=code.person_id,
        kind=GrantKind.PRESENCE,
        context=context.key,
        holder_kind=requester.kind,
        holder_id=requester.id,
        holder=requester.name,
        since=now,
        until=min(until, ceiling) if ceiling else until,
    )


def _refusal(code: PresenceCode | None, consent: Consent | None, requester: Requester, now: datetime) -> str:
    """Return the reason for which a code is refused; "" when it is not."""
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
