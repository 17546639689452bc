"""Ends everything by which somebody is signed in: sessions, tokens, apps and their refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Consumer, Entry, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert
from esante.core.web import Sessions
from esante.identity.access.authn.authentication import Authenticator
from esante.identity.access.events import AppEnded, SignInsEnded
from esante.identity.access.smart import authorization_store, client_store
from esante.identity.directory import Directory, PersonsMerged, PersonsSeparated


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSignIns:
    """How many sessions, tokens and authorizations of apps ended."""

    sessions: int
    tokens: int
    apps: int


class Withdrawal:
    """Ends the sign-ins of a requester."""

    def __init__(
        self, db: Database, journal: Journal, directory: Directory, sessions: Sessions, signin: Authenticator
    ) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._sessions, self._signin = sessions, signin

    def consumer(self) -> Consumer:
        """Return the consumer of the journal that ends sign-ins of entries that were merged, or separated again.

        Who signs in then does so under the entry that stands for them now.
        """

        async def end(conn: Connection, entries: list[Entry]) -> None:
            for entry in entries:
                if isinstance(entry.event, PersonsSeparated) or entry.event.losing_id == entry.person_id:
                    await self.end_sign_ins(entry.person_id, actor=SYSTEM)

        return Consumer("access.merged_sign_ins", [PersonsMerged, PersonsSeparated], end)

    async def end_sign_ins(self, holder_id: UUID, *, actor: Actor) -> EndedSignIns:
        """End all sessions, tokens and apps of a person, a practitioner or an organisation, and journal it."""
        person = await self._directory.person(holder_id)
        async with self._db.transaction() as conn:
            ended = await authorization_store.revoke_all_of(conn, holder_id, clock.now())
            result = EndedSignIns(
                sessions=await self._sessions.delete_all(conn, str(holder_id)),
                tokens=await client_store.delete_tokens_of(conn, holder_id),
                apps=len(ended),
            )
            event = SignInsEnded(
                subject_id=holder_id, sessions=result.sessions, tokens=result.tokens, apps=result.apps
            )
            rows = self._journal.rows(event, person_id=person.id if person else NIL, actor=actor)
            own = person.id if person else NIL
            await insert(conn, rows + await self._app_rows(ended, own, actor))
        self._signin.forget_tokens()
        return result

    async def _app_rows(self, ended: Sequence[tuple[str, UUID | None]], own: UUID, actor: Actor) -> list[Row]:
        """Return the rows of the entries for apps that ended, each filed under its patient, else under `own`."""
        names = {
            client.client_id: client.name
            for client in await client_store.fetch_clients(self._db, [client_id for client_id, _ in ended])
        }
        rows: list[Row] = []
        for client_id, patient_id in ended:
            event = AppEnded(client_id=client_id, app=names.get(client_id, client_id), cause="suspended")
            rows += self._journal.rows(event, person_id=patient_id or own, actor=actor)
        return rows
