"""Apps: what a person is asked when one wants data, what she allows, and how she ends it.

Sources: HL7 SMART App Launch 2.2, "App Launch"; RFC 6749, section 4.1; RFC 7636 (PKCE); RFC 9207 (`iss`);
RFC 9700 (what a server must not do).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from esante.core.journal import Event, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, Session
from esante.identity.access.authn.authentication import Authenticator, principal_of
from esante.identity.access.consent import store
from esante.identity.access.events import AppAllowed, AppEnded, AppRefused
from esante.identity.access.matrix import policy
from esante.identity.access.model import Requester
from esante.identity.access.rules import opening_grant
from esante.identity.access.smart import authorization_store
from esante.identity.access.smart.authorization_store import AppConnection, Authorization
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import Clients
from esante.identity.access.smart.protocol import SECRET, kept_as, new_secret
from esante.identity.access.smart.scopes import CONTEXT, INTROSPECT, STAYING, common_scopes, has_level, parse_scope
from esante.identity.directory import Directory, Person

PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "launch",
    "nonce",
)
"""Of an authorisation request; others are ignored (RFC 6749, section 3.1)."""
KINDS = ("patient", "practitioner")
"""Who can use apps."""
_LIMITS = {"scope": 8_000, "state": 2_048}
_LIMIT = 1_024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Back(Exception):
    """The app is answered at once, at its own address `url`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class MustChoose(Exception):
    """The app wants to know for which patient it is opened, and a professional has to say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An authorisation request that can be answered at its redirect address; `params` as they came."""

    client: SoftwareClient
    redirect_uri: str
    state: str
    scopes: frozenset[str]
    challenge: str
    nonce: str
    launch: str
    params: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A permission in somebody's list: of which app, and about which other person (None: about none in particular)."""

    authorization: Authorization
    client: SoftwareClient
    patient: Person | None

    @property
    def staying(self) -> bool:
        """Whether the app can come back without the person."""
        return "offline_access" in self.authorization.scopes


class Apps:
    """Authorisation requests and the permissions that come of them; `issuer` is the platform's address."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        clients: Clients,
        signin: Authenticator,
        issuer: str,
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._clients, self._signin, self._issuer = clients, signin, issuer

    # What an app asks for

    async def asked(self, pairs: Sequence[tuple[str, str]]) -> Asked:
        """The request in the parameters of an address or a form.

        Problem 400 when it is not sure who asks or where to answer (nothing is ever sent to an address that is not
        registered); `Back` with an error for whatever else is wrong.
        """
        given = [(name, value) for name, value in pairs if name in PARAMETERS]
        params = dict(given)
        client = await self._clients.find(params.get("client_id", ""))
        if client is None or len(params) < len(given):
            raise _unknown_app(N_("This app is not registered here."))
        redirect_uri = params.get("redirect_uri", "")
        if redirect_uri not in client.redirect_uris:
            raise _unknown_app(N_("The app wants its answer at an address that is not registered."))
        asked = Asked(
            client=client,
            redirect_uri=redirect_uri,
            state=params.get("state", ""),
            scopes=common_scopes(params.get("scope", "").split(), client.scopes),
            challenge=params.get("code_challenge", ""),
            nonce=params.get("nonce", ""),
            launch=params.get("launch", ""),
            params=params,
        )
        if fault := self._fault(asked):
            raise self.back(asked, error=fault[0], error_description=fault[1])
        return asked

    def offered(self, asked: Asked) -> frozenset[str]:
        """The scopes that a person can grant; `Back` when there is none among them that gives an app anything."""
        found = {text for text in asked.scopes if text != INTROSPECT and not has_level([text], "system")}
        if not asked.launch:
            found.discard("launch")
        if not gives_something(found):
            raise self.back(
                asked, error="invalid_scope", error_description="no scope asked for is allowed to this app"
            )
        return frozenset(found)

    async def patient_for(
        self, requester: Requester, session: Session, asked: Asked, chosen: UUID | None
    ) -> UUID | None:
        """The patient for whom the app is opened: by the portal, or as a professional has `chosen`; None for nobody.

        For a patient that is always herself. `MustChoose`; `Back` for a launch that is over; Problem 404 for a patient
        whose record is not open to the professional.
        """
        person_id = chosen
        if asked.launch:
            person_id = await authorization_store.launched(
                self._db, kept_as(asked.launch), asked.client.client_id, session.key
            )
            if person_id is None:
                raise self.back(asked, error="invalid_request", error_description=_LAUNCH_OVER)
        if requester.kind == "patient":
            return requester.id
        if not asked.launch and not _for_one_patient(asked.scopes):
            return None
        if person_id is None:
            raise MustChoose
        await self.must_open(requester, person_id)
        return person_id

    async def before(
        self, requester: Requester, asked: Asked, person_id: UUID | None
    ) -> tuple[Authorization | None, bool]:
        """What the person allows the app already, and whether that settles the request without asking again.

        It does when no more is asked for than then, and the app is surely the same: its address is on the web, or it
        proves who it is (RFC 8252, section 8.6).
        """
        known = await authorization_store.authorization(self._db, requester.id, asked.client.client_id, person_id)
        sure = asked.redirect_uri.startswith("https:") or not asked.client.public
        return known, known is not None and sure and self.offered(asked) <= known.asked

    # What a person answers

    async def allow(
        self, requester: Requester, session: Session, asked: Asked, person_id: UUID | None, chosen: Iterable[str]
    ) -> Back:
        """Allow the app what was `chosen` of what it asked for, and no more than that from now on. Problem 400."""
        offered = self.offered(asked)
        scopes = (frozenset(chosen) | CONTEXT) & offered
        if not gives_something(scopes):
            raise Problem(
                400, "required", N_("Nothing is chosen."), place="grant", remedy=N_("Choose something, or refuse.")
            )
        now = datetime.now(UTC)
        new = Authorization(
            authorization_id=uuid7(),
            client_id=asked.client.client_id,
            holder_id=requester.id,
            patient_id=person_id,
            asked=offered,
            scopes=scopes,
            given_at=now,
            until=now + policy(now.date()).app_allowed,
        )
        return await self._connect(requester, session, asked, new, scopes, again=False)

    async def allow_again(self, requester: Requester, session: Session, asked: Asked, known: Authorization) -> Back:
        """Let the app come back with what was allowed it before, as far as it asks for it now."""
        scopes = common_scopes(self.offered(asked), known.scopes)
        if not gives_something(scopes):
            return self.back(asked, error="access_denied", error_description="the person does not allow this")
        return await self._connect(requester, session, asked, known, scopes, again=True)

    async def refuse(self, requester: Requester, asked: Asked) -> Back:
        """Do not allow the app anything."""
        told = AppRefused(
            client_id=asked.client.client_id, app=asked.client.name, scopes=" ".join(sorted(asked.scopes))
        )
        await self._db.write(self._rows(told, requester, requester.only_person_id))
        return self.back(asked, error="access_denied", error_description="the person refused")

    def back(self, asked: Asked, **answer: str) -> Back:
        """The answer to the app at its address, with its `state` and who answers."""
        state = {"state": asked.state} if asked.state else {}
        sign = "&" if "?" in asked.redirect_uri else "?"
        return Back(asked.redirect_uri + sign + urlencode({**answer, **state, "iss": self._issuer}))

    # What a person has allowed

    async def allowed(self, requester: Requester) -> list[Allowed]:
        """Everything that somebody allows apps now, the newest first."""
        found = await authorization_store.authorizations(self._db, requester.id)
        clients = await self._clients.named([one.client_id for one in found])
        others = {one.patient_id for one in found if one.patient_id and one.patient_id != requester.id}
        persons = await self._directory.persons(others)
        return [
            Allowed(
                authorization=one,
                client=clients[one.client_id],
                patient=persons.get(one.patient_id) if one.patient_id else None,
            )
            for one in found
            if one.client_id in clients
        ]

    async def revoke(self, requester: Requester, authorization_id: UUID) -> None:
        """End a permission with all its tokens, now; Problem 404 when it is not there or has ended."""
        known = [
            one for one in await self.allowed(requester) if one.authorization.authorization_id == authorization_id
        ]
        if not known:
            raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Perhaps it has ended already."))
        async with self._db.transaction() as conn:
            await self._end(conn, requester, known[0].authorization, known[0].client, "revoked")
        self._signin.forget_tokens()

    # Opening an app from the portal

    async def launch(self, requester: Requester, session: Session, client_id: str, person_id: UUID) -> str:
        """The address at which an app opens for a person; Problem 404 for an app or a record that is not to be opened.

        What it carries means something to this session alone, once, for a few minutes.
        """
        client = next((one for one in await self._clients.launchable() if one.client_id == client_id), None)
        if client is None:
            raise Problem(404, "not-found", N_("This app cannot be opened from here."))
        if requester.id != person_id:
            await self.must_open(requester, person_id)
        handle, now = new_secret(), datetime.now(UTC)
        until = now + policy(now.date()).app_launch
        row = kept_as(handle), client.client_id, person_id, session.key, until
        await self._db.write([(authorization_store.LAUNCH, row)])
        sign = "&" if "?" in client.launch_url else "?"
        return client.launch_url + sign + urlencode({"iss": f"{self._issuer}/fhir", "launch": handle})

    def _fault(self, asked: Asked) -> tuple[str, str] | None:
        """What is wrong with a request: the code of RFC 6749, section 4.1.2.1, and words for developers."""
        params, fhir = asked.params, f"{self._issuer}/fhir"
        rules = (
            (params.get("response_type") == "code", "unsupported_response_type", "response_type must be code"),
            (_within_limits(params), "invalid_request", "a parameter is too long, or has unprintable characters"),
            (asked.state, "invalid_request", "state is missing"),
            (params.get("aud") in (fhir, f"{fhir}/"), "invalid_request", f"aud must be {fhir}"),
            (
                params.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(asked.challenge),
                "invalid_request",
                "code_challenge is missing, or code_challenge_method is not S256",
            ),
            (
                not asked.launch or (SECRET.fullmatch(asked.launch) and "launch" in asked.scopes),
                "invalid_request",
                "launch is none of ours, or comes without the scope launch",
            ),
        )
        return next(((error, words) for kept, error, words in rules if not kept), None)

    async def must_open(self, requester: Requester, person_id: UUID) -> None:
        """Problem 404 unless a professional may open the record of a person at all."""
        consent = (await store.fetch_consents(self._db, [person_id])).get(person_id)
        if consent is None or opening_grant(consent, requester, datetime.now(UTC)) is None:
            raise Problem(404, "not-found", N_("You have no access to this record."))

    async def _connect(
        self,
        requester: Requester,
        session: Session,
        asked: Asked,
        authorization: Authorization,
        scopes: frozenset[str],
        *,
        again: bool,
    ) -> Back:
        client, now, code = asked.client, datetime.now(UTC), new_secret()
        person_id = authorization.patient_id
        terms = policy(now.date())
        until = authorization.until
        if "offline_access" not in scopes:
            online = session.expires_at if scopes & STAYING else now + terms.app_code + terms.app_token
            until = min(until, online)
        patient = None if requester.kind == "patient" else person_id
        connection = AppConnection(
            connection_id=uuid7(),
            authorization_id=authorization.authorization_id,
            principal=principal_of(replace(requester, client=client.name, patient=patient)),
            scopes=scopes,
            session_hash=session.key,
            code_until=now + terms.app_code,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
            nonce=asked.nonce,
            until=until,
        )
        told = AppAllowed(
            client_id=client.client_id, app=client.name, scopes=" ".join(sorted(scopes)), until=until, again=again
        )
        async with self._db.transaction() as conn:
            if asked.launch and not await authorization_store.take_launch(
                conn, kept_as(asked.launch), client.client_id, session.key
            ):
                return self.back(asked, error="invalid_request", error_description=_LAUNCH_OVER)
            key = authorization.authorization_id if again else await self._keep(conn, requester, client, authorization)
            rows = [authorization_store.connection_row(replace(connection, authorization_id=key), kept_as(code))]
            await insert(conn, [*rows, *self._rows(told, requester, person_id)])
        self._signin.forget_tokens()
        return self.back(asked, code=code)

    async def _keep(self, conn: Connection, requester: Requester, client: SoftwareClient, new: Authorization) -> UUID:
        """Keep a new permission, and give its key: that of an older one where it only adds to that one.

        So an app on a second device goes on beside the first; an older one that allowed more than this ends.
        """
        kept = None
        for old in await authorization_store.authorizations(conn, requester.id):
            if (old.client_id, old.patient_id) != (new.client_id, new.patient_id):
                continue
            if kept is None and old.scopes <= new.scopes:
                kept = replace(new, authorization_id=old.authorization_id, asked=old.asked | new.asked)
                await authorization_store.change(conn, kept)
            else:
                await self._end(conn, requester, old, client, "replaced")
        if kept is None:
            await insert(conn, [authorization_store.authorization_row(new)])
        return (kept or new).authorization_id

    async def _end(
        self, conn: Connection, requester: Requester, known: Authorization, client: SoftwareClient, cause: str
    ) -> None:
        if await authorization_store.revoke(conn, requester.id, known.authorization_id, datetime.now(UTC)):
            told = AppEnded(client_id=client.client_id, app=client.name, cause=cause)
            await insert(conn, self._rows(told, requester, known.patient_id))

    def _rows(self, told: Event, requester: Requester, person_id: UUID | None) -> list[Row]:
        """The rows of an entry: under the person it is about, or (None) under nobody."""
        return self._journal.rows(told, person_id=person_id or NIL, actor=requester.actor, origin=requester.origin)


_LAUNCH_OVER = "this launch is over: open the app again from the portal"


def gives_something(scopes: Iterable[str]) -> bool:
    """Whether scopes let an app see or learn anything."""
    return any(text == "openid" or parse_scope(text) for text in scopes)


def _for_one_patient(scopes: frozenset[str]) -> bool:
    return "launch/patient" in scopes or has_level(scopes, "patient")


def _within_limits(params: dict[str, str]) -> bool:
    return all(len(value) <= _LIMITS.get(name, _LIMIT) and value.isprintable() for name, value in params.items())


def _unknown_app(title: str) -> Problem:
    return Problem(400, "invalid", title, remedy=N_("Nothing was sent to the app. Tell the people who make it."))
