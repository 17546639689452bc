"""The service object of access control: authentication, authorisation, consents, and the use cases by subject."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core import clock
from esante.core.journal import Actor, Consumer, Journal
from esante.core.storage import NIL, Connection, Database, DataLoader
from esante.core.time_zone import today
from esante.core.types import Progress
from esante.core.web import Problem, Sessions
from esante.identity.access.assignments.changes import Assignments
from esante.identity.access.audit.replay import Replay, ReplayReport
from esante.identity.access.authn.authentication import Authenticator
from esante.identity.access.authn.motives import Motives
from esante.identity.access.authn.person_lookups import PersonLookups
from esante.identity.access.authn.rate_limits import ANONYMOUS, RateLimits
from esante.identity.access.authn.requesters import requester_of
from esante.identity.access.authn.withdrawal import EndedSignIns, Withdrawal
from esante.identity.access.consent import store
from esante.identity.access.consent.break_glass import Emergencies
from esante.identity.access.consent.ceilings import Ceilings
from esante.identity.access.consent.grants import Grants
from esante.identity.access.consent.lifecycle import Lifecycle
from esante.identity.access.consent.oppositions import Oppositions
from esante.identity.access.consent.presence_codes import PresenceCodes
from esante.identity.access.consent.restrictions import Restrictions
from esante.identity.access.consent.union import with_surviving
from esante.identity.access.disposition.service import Dispositions
from esante.identity.access.effective_access import EffectiveAccess, who_can_see
from esante.identity.access.events import SignInRefused
from esante.identity.access.functions.referring_doctors import referring_doctor_consumer
from esante.identity.access.model import Consent, Grant, GrantKind, Item, Requester
from esante.identity.access.regulation.policy_set import policy_set
from esante.identity.access.representation.service import Representations
from esante.identity.access.reviews.questions import ReviewQuestions
from esante.identity.access.smart import authorization_store
from esante.identity.access.smart.authorization import AppAuthorizations
from esante.identity.access.smart.clients import ClientRegistry
from esante.identity.access.smart.id_token import IdTokenIssuer
from esante.identity.access.smart.scopes import Query, covering_queries, require_scope, resolve_patient_context
from esante.identity.access.smart.token_endpoint import TokenEndpoints
from esante.identity.access.smart.token_grants import TokenGrants
from esante.identity.access.stays.hospital_stays import HospitalStays
from esante.identity.directory import Directory, Organization, PersonQuery

NOBODY = UUID(int=2**128 - 1)
"""A key that nobody has."""


class Access:
    """Authenticates and authorises requests, and knows the consents of persons.

    `lifecycle`, `dispositions`, `grants`, `ceilings`, `stays`, `codes`, `emergencies`, `review_questions`, `motives`,
    `restrictions`, `oppositions`, `representations`, `assignments`, `clients`, `apps` and `tokens` are the use cases
    of their name, `sessions` the sessions of people who are signed in, `id_tokens` signs the ID tokens of apps.
    `base_url`: the platform's address as clients know it; `identity_key`: see `IdTokenIssuer`.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        *,
        base_url: str,
        identity_key: Path | None = None,
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._consents: DataLoader[UUID, Consent] = DataLoader(db, partial(store.fetch_consents, db))
        self.sessions = Sessions(db)
        self.motives = Motives(db, self.sessions)
        self._limits = RateLimits(db, journal)
        directory.lookups = PersonLookups(db, journal)
        self._signin = Authenticator(db, journal, directory, self.sessions, self._limits)
        self._withdrawal = Withdrawal(db, journal, directory, self.sessions, self._signin)
        self.dispositions = Dispositions(db, journal)
        self.lifecycle = Lifecycle(db, journal, directory, self.dispositions)
        self.assignments = Assignments(db, journal)
        self.grants = Grants(db, journal, directory)
        self.ceilings = Ceilings(db, journal)
        self.stays = HospitalStays(db, journal, directory, self.grants, self._limits)
        self.codes = PresenceCodes(db, journal, self.grants, self._limits)
        self.emergencies = Emergencies(db, journal, directory, self.grants, self._limits)
        self.review_questions = ReviewQuestions(db, journal)
        self.restrictions = Restrictions(db, journal, directory)
        self.oppositions = Oppositions(db, journal, directory)
        self.representations = Representations(db, journal, directory, self._signin.forget_tokens)
        self.id_tokens = IdTokenIssuer(base_url, identity_key)
        self.clients = ClientRegistry(db, journal, directory)
        self.apps = AppAuthorizations(db, journal, directory, self.clients, self._signin, base_url)
        token_grants = TokenGrants(db, journal, directory, self._signin, self.sessions, self.id_tokens)
        self.tokens = TokenEndpoints(
            db, directory, self._signin, self.clients, token_grants, self.id_tokens, self._limits
        )

    async def consent(self, person_id: UUID) -> Consent:
        """Return the consent of a person, in one round trip; without a record one of state NONE.

        Of a person whose entries were merged, the choices made under each of them hold (`merge_consents`).
        """
        volumes = await self._directory.merges.volumes(person_id)
        if len(volumes) == 1:
            found = [await self._consents.load(person_id)]
        else:
            found = await asyncio.gather(*(self._consents.load(volume) for volume in volumes))
        known = {one.person_id: one for one in found if one is not None}
        rules = await self.assignments.current()
        return replace(with_surviving(known, {person_id: volumes})[person_id], rules=rules)

    async def volumes(self, person_id: UUID) -> tuple[UUID, ...]:
        """Return the entries of the directory that are of a person by merges, the one that stands for them first."""
        return await self._directory.merges.volumes(person_id)

    async def replay(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        show: int = 20,
        progress: Progress = lambda *_: None,
    ) -> ReplayReport:
        """Decide the verdicts of the journal from a moment until another again, by the rules of their day."""
        replay = Replay(self._db, self._journal, await self.assignments.current())
        return await replay.run(since, until, show=show, progress=progress)

    async def who_can_see(self, person_id: UUID, item: Item | None = None) -> tuple[EffectiveAccess, ...]:
        """Return what each grant of a person gives its holder now: reading an item, or without one anything."""
        consent = await self.consent(person_id)
        return who_can_see(consent, await self._requesters_of(consent), clock.now(), item)

    async def _requesters_of(self, consent: Consent) -> dict[UUID, list[Requester]]:
        """Return as whom the holders of a consent's grants may ask; those who are suspended or unknown are missing."""
        ids = {grant.holder_id for grant in consent.grants}
        day = today()
        practitioners = await self._directory.practitioners(ids)
        roles = [role for one in practitioners.values() for role in one.roles if role.is_in_force(day)]
        organizations = await self._directory.organizations(ids | {role.organization_id for role in roles})
        suspended = await self._directory.suspensions.among([*ids, *organizations])
        professions = await self._directory.professions_at(ids & organizations.keys(), day)
        found = {
            id_: [requester_of(one), *(_staff_of(one, profession) for profession in professions.get(id_, ()))]
            for id_, one in organizations.items()
            if id_ in ids
        }
        for id_, practitioner in practitioners.items():
            held = dict.fromkeys(
                (role.organization_id, role.profession) for role in practitioner.roles if role.is_in_force(day)
            )
            found[id_] = [requester_of(practitioner)] + [
                requester_of(practitioner, organizations[key], profession)
                for key, profession in held
                if key in organizations and key not in suspended
            ]
        rules = (consent.rules or policy_set()).on(day)
        for grant in consent.grants:
            if grant.kind is GrantKind.COUNTRY:
                found[grant.holder_id] = [_professional_abroad(grant, one) for one in rules.columns]
        return {id_: requesters for id_, requesters in found.items() if id_ not in suspended}

    async def consents(self, conn: Connection, persons: Sequence[UUID]) -> dict[UUID, Consent]:
        """Return the consents of persons within a transaction; of persons without a record ones of state NONE."""
        volumes = {id_: await self._directory.merges.volumes(id_) for id_ in persons}
        found = await store.fetch_consents(conn, sorted({one for entries in volumes.values() for one in entries}))
        rules = await self.assignments.current(conn)
        return {id_: replace(one, rules=rules) for id_, one in with_surviving(found, volumes).items()}

    async def authenticate(self, request: Request) -> Requester:
        """Return the requester of an API request: by bearer token, or else by the session of the portal.

        Raises: Problem 401 when there is neither, 403 for a change by a session without its CSRF token.
        """
        return await self._signin.authenticate(request)

    async def recognize(self, signer: Requester) -> Requester | None:
        """Return the requester of a request that somebody signed, as they are now; None when they may not use it.

        For messages that bring other proof than a token or a session, which the caller has checked.
        """
        return await self._signin.recognize(signer)

    async def authorize(self, request: Request, resource: str, letters: str) -> Requester:
        """Return the requester of an API request, whose token covers `letters` (SMART v2) of all of a type.

        Raises: Problem 401 without authentication, 403 when the token does not cover them, or only a part of the
        resources (see `authorize_queries`).
        """
        requester = resolve_patient_context(await self.authenticate(request), resource, letters)
        await self.require_scope(requester, resource, letters)
        return requester

    async def authorize_queries(self, request: Request, resource: str, letters: str) -> tuple[Requester, list[Query]]:
        """Return the requester of an API request, and the queries to which the token restricts a type of resources.

        The token covers a resource that matches one of the queries; an empty query, which is then the only one,
        matches all. Whoever applies the queries must understand each of them in full. Raises: as `authorize`.
        """
        requester = resolve_patient_context(await self.authenticate(request), resource, letters)
        try:
            return requester, covering_queries(requester, resource, letters)
        except Problem:
            await self._record_missing_scope(requester, resource, letters)
            raise

    async def authorize_lookup(self, request: Request, resource: str, letters: str) -> Requester:
        """Return the requester as `authorize`, for the directory, where searches for persons are limited.

        Raises: as `authorize`, and Problem 429 after too many searches.
        """
        requester = await self.authorize(request, resource, letters)
        if resource == "Patient" and "s" in letters:
            await self.count_search(requester)
        return requester

    async def count_search(self, requester: Requester) -> None:
        """Count a search for persons. Raises: Problem 429 after too many."""
        await self._limits.count_search(requester)

    async def count_proof(self, requester: Requester) -> None:
        """Count a proof of the access log that is to be made. Raises: Problem 429 after too many."""
        await self._limits.count_proof(requester)

    async def count_attempts(
        self, limits: Mapping[str, int], window: timedelta, requester: Requester | None, origin: str
    ) -> None:
        """Count an attempt of each subject in `limits` in a window of a day at most. Raises: Problem 429."""
        actor = requester.actor if requester else ANONYMOUS
        await self._limits.count_attempts(limits, window, actor=actor, origin=origin)

    async def _record_missing_scope(self, requester: Requester, resource: str, letters: str) -> None:
        await self._limits.record_rejection("scope", requester.actor, requester.origin, f"{resource}.{letters}")

    def covered_queries(self, requester: Requester, resource: str, letters: str) -> list[Query]:
        """Return the queries of a requester's token for a type, as `authorize_queries`; [] when no scope covers it."""
        try:
            return covering_queries(requester, resource, letters)
        except Problem:
            return []

    async def require_scope(self, requester: Requester, resource: str, letters: str) -> None:
        """Raise Problem 403 unless a requester's token covers `letters` (SMART v2) of all of a type."""
        try:
            require_scope(requester, resource, letters)
        except Problem:
            await self._record_missing_scope(requester, resource, letters)
            raise

    async def reauthorize(self, known: Requester, resource: str = "", letters: str = "") -> Requester | None:
        """Return an earlier requester as they are now, for work that continues without a request.

        None when they no longer exist, or may no longer do `letters` (SMART v2) with `resource`.
        """
        found = await self._signin.reauthenticate(known)
        if found is not None and resource and not self.covered_queries(found, resource, letters):
            return None
        return found

    async def page_requester(self, request: Request, kinds: Sequence[str]) -> Requester:
        """Return the requester of a page for some kinds of requesters.

        Raises: Problem 303 to /signin without a session, 404 for a requester of another kind.
        """
        return await self._signin.page_requester(request, kinds)

    async def look_up_person(self, request: Request, requester: Requester, task: str, identifier: str) -> UUID:
        """Return the key of the person with an identifier, for a search of a page; `NOBODY` for an unknown one.

        Journalled for the person, with the motive of the task. Raises: Problem 303 to the page that asks for the
        motive, 429 as `Directory.search_persons`.
        """
        await self.motives.require(request, task)
        query = PersonQuery(value=identifier.replace(" ", ""))
        found = await self._directory.search_persons(query, actor=requester.actor, origin=requester.origin)
        return found[0].id if len(found) == 1 else NOBODY

    async def sign_in(
        self,
        request: Request,
        requester: Requester,
        *,
        method: str,
        to: str = "/",
        assurance: str = "",
        provider: str = "",
    ) -> Response:
        """Start a session of a requester who was authenticated by `method`; return a redirect with its cookie."""
        return await self._signin.sign_in(
            request, requester, method=method, to=to, assurance=assurance, provider=provider
        )

    async def confirm(self, request: Request, *, method: str, assurance: str, provider: str = "", to: str) -> Response:
        """Keep that whoever is signed in was authenticated again; return a redirect with a new cookie."""
        return await self._signin.confirm(request, method, assurance, provider, to)

    async def refuse_sign_in(self, *, method: str, reason: str, origin: str, subject: str = "") -> None:
        """Count and journal a sign-in that another package refused. Raises: Problem 429 after too many."""
        event = SignInRefused(method=method, subject=subject, reason=reason)
        await self._limits.count_refused_sign_in(event, origin)

    async def sign_out(self, request: Request, *, to: str = "/signin") -> Response:
        """End the session of a request; return a redirect that clears its cookie."""
        return await self._signin.sign_out(request, to=to)

    async def issue_token(self, requester: Requester, scopes: frozenset[str], lifetime: timedelta) -> str:
        """Issue a bearer token for a requester; only its SHA-256 is stored."""
        return await self._signin.issue_token(requester, scopes, lifetime)

    async def end_sign_ins(self, holder_id: UUID, *, actor: Actor) -> EndedSignIns:
        """End all sessions, tokens, refresh tokens and apps of somebody; other processes know it in seconds."""
        return await self._withdrawal.end_sign_ins(holder_id, actor=actor)

    async def tidy(self) -> None:
        """Delete expired codes, attempts, tokens, assertions and authorisations; to be run daily."""
        now = clock.now()
        async with self._db.transaction() as conn:
            await store.delete_expired(conn, now)
            await authorization_store.delete_expired(conn, now - timedelta(days=1))
        await self.motives.tidy()

    def consumers(self) -> list[Consumer]:
        """Return the journal consumers of access control."""
        return [*self.lifecycle.consumers(), referring_doctor_consumer(self._directory), self._withdrawal.consumer()]


def _professional_abroad(grant: Grant, profession: str) -> Requester:
    """Return somebody of a profession in the country that holds a grant."""
    return Requester(
        kind="practitioner", id=NIL, name=grant.holder, profession=profession, organization_id=grant.holder_id
    )


def _staff_of(organization: Organization, profession: str) -> Requester:
    """Return somebody of a profession who works at an organisation."""
    return replace(requester_of(organization), kind="practitioner", id=NIL, profession=profession)
