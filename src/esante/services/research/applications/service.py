"""The use cases of applicants: write a draft, submit it, answer questions, withdraw."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester
from esante.services.research.accounts.model import Account
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications import application_store, rules
from esante.services.research.applications.application_store import ApplicationSearch
from esante.services.research.applications.model import (
    Application,
    ApplicationSaved,
    ApplicationState,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    Case,
    Content,
    DraftDeleted,
    Finding,
    Listed,
    Message,
    QuestionAnswered,
)
from esante.services.research.datasets.catalogue import tables_by_name
from esante.services.research.terms import purposes, terms_on

PAGE_SIZE = 20
LONGEST_LINE, LONGEST = 200, 4_000
"""Characters of a title, and of an explanation."""
MOST_MEMBERS, MOST_DRAFTS = 50, 20
_TEXTS = {"title": LONGEST_LINE, "summary": 1_000} | dict.fromkeys(
    ("aim", "necessity", "safeguards", "question"), LONGEST
)


class Applications:
    """The applications of researchers; everybody sees their own. Every act is journalled with its change."""

    def __init__(self, db: Database, journal: Journal, accounts: Accounts) -> None:
        self._db, self._journal, self._accounts = db, journal, accounts

    async def own(self, requester: Requester, text: str = "", cursor: str | None = None) -> Page[Listed]:
        """Return a page of the requester's applications, newest first. Raises: Problem 303, 400."""
        account = await self._accounts.current(requester)
        wanted = ApplicationSearch(words=text.lower().split(), account_id=account.account_id)
        return await search(self._db, wanted, cursor)

    async def case(self, requester: Requester, application_id: UUID) -> Case:
        """Return an application of the requester's own. Raises: Problem 303, 404."""
        account = await self._accounts.current(requester)
        listed = _own(await application_store.find_listed(self._db, application_id), account)
        return await case_of(self._db, listed)

    async def findings(self, requester: Requester, application: Application) -> list[Finding]:
        """Return what the requester's application lacks before it can be submitted."""
        return await findings_of(self._accounts, await self._accounts.current(requester), application.content)

    async def save(self, requester: Requester, application_id: UUID | None, content: Content) -> Application:
        """Save a draft, a new one for None; what is missing or wrong may stay so until it is submitted.

        Raises: Problem 303, 400 for a text that is too long, 404, 409 for one that was submitted, or too many drafts.
        """
        account = await self._accounts.current(requester)
        content = _cleaned(content)
        async with self._db.transaction() as conn:
            if application_id is None:
                if await application_store.count_drafts(conn, account.account_id) >= MOST_DRAFTS:
                    raise Problem(409, "conflict", N_("You have too many drafts."), remedy=N_("Delete one of them."))
                known = None
            else:
                known = (await _lock_own(conn, application_id, account)).application
                rules.require_state(known, ApplicationState.DRAFT)
            application = Application(
                application_id=known.application_id if known else uuid7(),
                account_id=account.account_id,
                content=content,
                state=ApplicationState.DRAFT,
                saved_at=clock.now(),
            )
            event = ApplicationSaved(application_id=application.application_id)
            await self._write(conn, requester, application, event)
        return application

    async def delete_draft(self, requester: Requester, application_id: UUID) -> None:
        """Delete a draft. Raises: Problem 303, 404, 409 for one that was submitted."""
        account = await self._accounts.current(requester)
        async with self._db.transaction() as conn:
            application = (await _lock_own(conn, application_id, account)).application
            rules.require_state(application, ApplicationState.DRAFT)
            await application_store.delete_draft(conn, application_id)
            await insert(conn, self._journal.rows_for(requester, DraftDeleted(application_id=application_id)))

    async def submit(self, requester: Requester, application_id: UUID) -> Application:
        """Submit a draft; the time for the decision begins.

        Raises: Problem 303, 400 for what it lacks, 404, 409 for an account that is not accepted, or no draft.
        """
        account = await self._accounts.accepted(requester)
        async with self._db.transaction() as conn:
            draft = (await _lock_own(conn, application_id, account)).application
            rules.require_state(draft, ApplicationState.DRAFT)
            if found := await findings_of(self._accounts, account, draft.content):
                raise bad_request(found[0].place, found[0].title, found[0].remedy, code="value")
            now, content = clock.now(), draft.content
            due = rules.due_on(content.kind, day_of(now), terms_on(day_of(now)))
            submitted = replace(draft, state=ApplicationState.SUBMITTED, submitted_at=now, due_on=due)
            event = ApplicationSubmitted(
                application_id=application_id,
                account_id=account.account_id,
                kind=content.kind.value,
                purpose=content.purpose,
                datasets=content.datasets,
                due_on=due,
            )
            await self._write(conn, requester, submitted, event)
        return submitted

    async def answer(self, requester: Requester, application_id: UUID, text: str) -> None:
        """Answer the question that waits. Raises: Problem 303, 400, 404, 409 when none waits."""
        account = await self._accounts.accepted(requester)
        text = clean_text(text, 2, LONGEST, "text")
        async with self._db.transaction() as conn:
            application = (await _lock_own(conn, application_id, account)).application
            rules.require_state(application, ApplicationState.ASKED)
            now = clock.now()
            due = rules.due_after_answer(application, now)
            message = Message(
                message_id=uuid7(),
                application_id=application_id,
                at=now,
                from_authority=False,
                author_id=requester.id,
                author=requester.name,
                text=text,
            )
            await insert(conn, [application_store.message_row(message)])
            answered = replace(application, state=ApplicationState.SUBMITTED, asked_at=None, due_on=due)
            event = QuestionAnswered(application_id=application_id, message_id=message.message_id, due_on=due)
            await self._write(conn, requester, answered, event)

    async def withdraw(self, requester: Requester, application_id: UUID) -> None:
        """Withdraw an application that is not decided. Raises: Problem 303, 404, 409."""
        account = await self._accounts.current(requester)
        async with self._db.transaction() as conn:
            application = (await _lock_own(conn, application_id, account)).application
            rules.require_withdrawable(application)
            ended = replace(application, state=ApplicationState.WITHDRAWN, asked_at=None, decided_at=clock.now())
            await self._write(conn, requester, ended, ApplicationWithdrawn(application_id=application_id))

    async def _write(self, conn: Connection, requester: Requester, application: Application, event: Event) -> None:
        await application_store.save(conn, application)
        await insert(conn, self._journal.rows_for(requester, event))


async def findings_of(accounts: Accounts, applicant: Account, content: Content) -> list[Finding]:
    """Return what an application of an applicant lacks now."""
    return rules.findings(
        content,
        public_body=applicant.public_body,
        known=(await accounts.named(content.members)).keys(),
        tables=catalogue_tables(),
        purposes=purposes(),
        terms=terms_on(day_of(clock.now())),
    )


async def search(db: Database, wanted: ApplicationSearch, cursor: str | None) -> Page[Listed]:
    """Return a page of applications. Raises: Problem 400 for a wrong cursor."""
    found = await application_store.search(db, wanted, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
    last = found[PAGE_SIZE - 1].application.application_id if len(found) > PAGE_SIZE else None
    return Page(found[:PAGE_SIZE], encode_cursor(last) if last else None)


async def case_of(db: Database, listed: Listed) -> Case:
    """Return an application with everything about it."""
    id_ = listed.application.application_id
    return Case(
        listed=listed,
        messages=await application_store.fetch_messages(db, id_),
        proposals=await application_store.fetch_proposals(db, id_),
        permit_id=await application_store.find_permit_id(db, id_),
    )


@cache
def catalogue_tables() -> Mapping[str, Collection[str]]:
    """Return the columns of every table of the catalogue, by its name."""
    return {name: table.column_names for name, table in tables_by_name().items()}


def _cleaned(content: Content) -> Content:
    """Return content without white space around its texts. Raises: Problem 400 for what is too long."""
    texts: dict[str, Any] = {name: clean_text(getattr(content, name), 0, most, name) for name, most in _TEXTS.items()}
    members = tuple(dict.fromkeys(content.members))
    if len(members) > MOST_MEMBERS or any(len(one) > LONGEST_LINE for one in members):
        raise bad_request("members", N_("These are too many people."), N_("Name fewer people."), code="value")
    columns = {
        table: names & frozenset(catalogue_tables()[table])
        for table, names in content.columns.items()
        if table in catalogue_tables()
    }
    return replace(
        content,
        **texts,
        members=members,
        columns={table: names for table, names in columns.items() if names},
        months=min(max(content.months, 0), 1_000),
    )


def _own(listed: Listed | None, account: Account) -> Listed:
    """Return an application of an account. Raises: Problem 404 for an unknown one, and for one of another."""
    if listed is None or listed.application.account_id != account.account_id:
        raise Problem(404, "not-found", NOT_FOUND)
    return listed


async def _lock_own(conn: Connection, application_id: UUID, account: Account) -> Listed:
    return _own(await application_store.lock_listed(conn, application_id), account)
