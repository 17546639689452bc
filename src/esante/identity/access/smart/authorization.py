"""Authorization of apps: the decision of a person, the list of what is authorized, revocation, launch from the portal.

Sources: HL7 SMART App Launch 2.2, "App Launch"; RFC 6749, section 4.1; RFC 7009.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem, Session, bad_request
from esante.identity.access.authn.authentication import Authenticator
from esante.identity.access.authn.requesters import principal_of
from esante.identity.access.consent import store
from esante.identity.access.events import AppAllowed, AppEnded, AppRefused
from esante.identity.access.model import Requester
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.rules import opening_grant
from esante.identity.access.smart import authorization_store
from esante.identity.access.smart.authorization_request import (
    AuthorizationRequest,
    AuthorizationResponse,
    gives_access,
    grantable_scopes,
    parse_authorization_request,
)
from esante.identity.access.smart.authorization_store import AppConnection, Authorization
from esante.identity.access.smart.client_store import SoftwareClient
from esante.identity.access.smart.clients import ClientRegistry
from esante.identity.access.smart.protocol import generate_secret, hash_secret
from esante.identity.access.smart.scopes import CONTEXT_SCOPES, REFRESH_SCOPES, common_scopes
from esante.identity.directory import Directory, Person

APP_USER_KINDS = ("patient", "practitioner")
"""The kinds of requester who can use apps."""
_LAUNCH_EXPIRED = "this launch has expired or was used: open the app again from the portal"


class PatientSelectionRequired(Exception):
    """The client needs a patient in context, and a professional has to select one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedApp:
    """An authorization in a person's list, with the app; `patient`: the other person it is about, if any."""

    authorization: Authorization
    client: SoftwareClient
    patient: Person | None

    @property
    def offline(self) -> bool:
        """Whether the app can get new tokens while its user is not signed in."""
        return "offline_access" in self.authorization.scopes


class AppAuthorizations:
    """Authorization requests and the authorizations that follow; `issuer` is the platform's address."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        clients: ClientRegistry,
        signin: Authenticator,
        issuer: str,
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._clients, self._signin, self._issuer = clients, signin, issuer

    # The request of a client

    async def parse_request(self, pairs: Sequence[tuple[str, str]]) -> AuthorizationRequest:
        """Parse the parameters of a query or a form (see `parse_authorization_request`, also for what it raises)."""
        return await parse_authorization_request(pairs, self._clients, self._issuer)

    async def resolve_patient(
        self, requester: Requester, session: Session, request: AuthorizationRequest, selected: UUID | None
    ) -> UUID | None:
        """Return the patient in context: of the portal's launch, or as the professional `selected`; None for none.

        For a patient that is always the patient themselves. Raises: `PatientSelectionRequired`;
        `AuthorizationResponse` for a launch that has expired; `Problem` 404 for a patient whose record is not open to
        the professional.
        """
        person_id = selected
        if request.launch:
            person_id = await authorization_store.find_launch_patient(
                self._db, hash_secret(request.launch), request.client.client_id, session.key
            )
            if person_id is None:
                raise request.respond(error="invalid_request", error_description=_LAUNCH_EXPIRED)
        if requester.kind == "patient":
            return requester.id
        if not request.launch and not request.names_one_patient:
            return None
        if person_id is None:
            raise PatientSelectionRequired
        await self.require_open_record(requester, person_id)
        return person_id

    async def find_previous(
        self, requester: Requester, request: AuthorizationRequest, person_id: UUID | None
    ) -> tuple[Authorization | None, bool]:
        """Return the client's authorization in force, and whether it settles the request without asking again.

        It does when no more is requested than then, and the client is surely the same one: its redirect URI is on the
        web, or it authenticates (RFC 8252, section 8.6).
        """
        previous = await authorization_store.find_authorization(
            self._db, requester.id, request.client.client_id, person_id
        )
        same_client = request.redirect_uri.startswith("https:") or not request.client.public
        settled = previous is not None and same_client and grantable_scopes(request) <= previous.requested
        return previous, settled

    # The decision of a person

    async def allow(
        self,
        requester: Requester,
        session: Session,
        request: AuthorizationRequest,
        person_id: UUID | None,
        selected: Iterable[str],
    ) -> AuthorizationResponse:
        """Grant the client the `selected` ones of the scopes it requests, and no more than those from now on.

        Raises: `Problem` 400 when nothing is selected.
        """
        grantable = grantable_scopes(request)
        scopes = (frozenset(selected) | CONTEXT_SCOPES) & grantable
        if not gives_access(scopes):
            raise bad_request(
                "grant", N_("Nothing is selected."), N_("Select at least one item, or refuse."), code="required"
            )
        now = clock.now()
        authorization = Authorization(
            authorization_id=uuid7(),
            client_id=request.client.client_id,
            holder_id=requester.id,
            patient_id=person_id,
            requested=grantable,
            scopes=scopes,
            given_at=now,
            until=now + policy(day_of(now)).app_allowed,
        )
        return await self._issue_code(requester, session, request, authorization, scopes, again=False)

    async def allow_again(
        self, requester: Requester, session: Session, request: AuthorizationRequest, previous: Authorization
    ) -> AuthorizationResponse:
        """Grant the client the scopes of its previous authorization, as far as it requests them now."""
        scopes = common_scopes(grantable_scopes(request), previous.scopes)
        if not gives_access(scopes):
            return request.respond(error="access_denied", error_description="the user does not allow this")
        return await self._issue_code(requester, session, request, previous, scopes, again=True)

    async def refuse(self, requester: Requester, request: AuthorizationRequest) -> AuthorizationResponse:
        """Record a refusal and return it as the response to the client."""
        event = AppRefused(
            client_id=request.client.client_id, app=request.client.name, scopes=" ".join(sorted(request.scopes))
        )
        await self._db.write(self._event_rows(event, requester, requester.only_person_id))
        return request.respond(error="access_denied", error_description="the user refused")

    # The list of authorizations

    async def list_authorized(self, requester: Requester) -> list[AuthorizedApp]:
        """Return every authorization of a requester that is in force, the newest first."""
        authorizations = await authorization_store.fetch_authorizations(self._db, requester.id)
        clients = await self._clients.find_all([authorization.client_id for authorization in authorizations])
        patients = {authorization.patient_id for authorization in authorizations if authorization.patient_id}
        persons = await self._directory.persons(patients - {requester.id})
        return [
            AuthorizedApp(
                authorization=authorization,
                client=clients[authorization.client_id],
                patient=persons.get(authorization.patient_id) if authorization.patient_id else None,
            )
            for authorization in authorizations
            if authorization.client_id in clients
        ]

    async def revoke(self, requester: Requester, authorization_id: UUID) -> None:
        """End an authorization with all its tokens, at once.

        Raises: `Problem` 404 when the requester has no such authorization, or it has ended.
        """
        matching = [
            app
            for app in await self.list_authorized(requester)
            if app.authorization.authorization_id == authorization_id
        ]
        if not matching:
            raise Problem(404, "not-found", NOT_FOUND, remedy=N_("It may have already ended."))
        async with self._db.transaction() as conn:
            await self._end(conn, requester, matching[0].authorization, matching[0].client, "revoked")
        self._signin.forget_tokens()

    # Launch from the portal

    async def create_launch_url(self, requester: Requester, session: Session, client_id: str, person_id: UUID) -> str:
        """Return the address that opens a client for a person (SMART "EHR launch").

        Its parameter `launch` is valid in this session only, once, for a few minutes. Raises: `Problem` 404 for a
        client that cannot be launched, or a record that is not open to the requester.
        """
        launchable = await self._clients.launchable()
        client = next((client for client in launchable if client.client_id == client_id), None)
        if client is None:
            raise Problem(404, "not-found", N_("You cannot open this app from here."))
        if requester.id != person_id:
            await self.require_open_record(requester, person_id)
        handle, now = generate_secret(), clock.now()
        until = now + policy(day_of(now)).app_launch
        row = hash_secret(handle), client.client_id, person_id, session.key, until
        await self._db.write([(authorization_store.LAUNCH, row)])
        sign = "&" if "?" in client.launch_url else "?"
        return client.launch_url + sign + urlencode({"iss": f"{self._issuer}/fhir", "launch": handle})

    async def require_open_record(self, requester: Requester, person_id: UUID) -> None:
        """Raise `Problem` 404 unless a professional may open the record of a person at all."""
        consent = (await store.fetch_consents(self._db, [person_id])).get(person_id)
        if consent is None or opening_grant(consent, requester, clock.now()) is None:
            raise Problem(404, "not-found", N_("You do not have access to this record."))

    async def _issue_code(
        self,
        requester: Requester,
        session: Session,
        request: AuthorizationRequest,
        authorization: Authorization,
        scopes: frozenset[str],
        *,
        again: bool,
    ) -> AuthorizationResponse:
        """Store the authorization (unless it is given `again`) and a connection, and return its code to the client."""
        client, now, code = request.client, clock.now(), generate_secret()
        person_id = authorization.patient_id
        terms = policy(day_of(now))
        until = authorization.until
        if "offline_access" not in scopes:
            online = session.expires_at if scopes & REFRESH_SCOPES else now + terms.app_code + terms.app_token
            until = min(until, online)
        patient = None if requester.kind == "patient" else person_id
        connection = AppConnection(
            connection_id=uuid7(),
            authorization_id=authorization.authorization_id,
            principal=principal_of(replace(requester, client=client.name, patient=patient)),
            scopes=scopes,
            session_hash=session.key,
            code_until=now + terms.app_code,
            redirect_uri=request.redirect_uri,
            challenge=request.code_challenge,
            nonce=request.nonce,
            until=until,
        )
        event = AppAllowed(
            client_id=client.client_id, app=client.name, scopes=" ".join(sorted(scopes)), until=until, again=again
        )
        async with self._db.transaction() as conn:
            if request.launch and not await authorization_store.consume_launch(
                conn, hash_secret(request.launch), client.client_id, session.key
            ):
                return request.respond(error="invalid_request", error_description=_LAUNCH_EXPIRED)
            key = authorization.authorization_id if again else await self._save(conn, requester, client, authorization)
            connection = replace(connection, authorization_id=key)
            rows = [authorization_store.connection_row(connection, hash_secret(code))]
            await insert(conn, [*rows, *self._event_rows(event, requester, person_id)])
        self._signin.forget_tokens()
        return request.respond(code=code)

    async def _save(self, conn: Connection, requester: Requester, client: SoftwareClient, new: Authorization) -> UUID:
        """Store a new authorization and return its key: that of an older one where it only adds to that one.

        So an app on a second device does not end the first; an older one that allowed more than this ends.
        """
        extended = None
        for old in await authorization_store.fetch_authorizations(conn, requester.id):
            if (old.client_id, old.patient_id) != (new.client_id, new.patient_id):
                continue
            if extended is None and old.scopes <= new.scopes:
                extended = replace(new, authorization_id=old.authorization_id, requested=old.requested | new.requested)
                await authorization_store.update_authorization(conn, extended)
            else:
                await self._end(conn, requester, old, client, "replaced")
        if extended is None:
            await insert(conn, [authorization_store.authorization_row(new)])
        return (extended or new).authorization_id

    async def _end(
        self, conn: Connection, requester: Requester, authorization: Authorization, client: SoftwareClient, cause: str
    ) -> None:
        """End an authorization and append its entry; `cause` as in `AppEnded`."""
        ended = await authorization_store.revoke_authorization(
            conn, requester.id, authorization.authorization_id, clock.now()
        )
        if ended:
            event = AppEnded(client_id=client.client_id, app=client.name, cause=cause)
            await insert(conn, self._event_rows(event, requester, authorization.patient_id))

    def _event_rows(self, event: Event, requester: Requester, person_id: UUID | None) -> list[Row]:
        """Return the rows of an entry: under the person it is about, or (None) under nobody."""
        return self._journal.rows_for(requester, event, person_id=person_id or NIL)
