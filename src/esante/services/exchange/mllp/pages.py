"""The page of operators: messages of hospitals that could not be processed, and those of the last days."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.time_zone import time_zone, today
from esante.core.web import (
    NOT_FOUND,
    Problem,
    decode_uuid_cursor,
    encode_cursor,
    language_of,
    redirect,
    render,
    show_date,
)
from esante.identity.access import Access
from esante.identity.directory import Directory, Organization
from esante.services.exchange.mllp import message_store as store
from esante.services.exchange.mllp.model import CODE_WORDS, Code, IncomingMessage, MessageRepeated, State
from esante.services.exchange.mllp.processor import MessageProcessor
from esante.services.exchange.mllp.terms import message_terms_on

PLACE = "/operator/hospital-messages"
SPAN = timedelta(days=30)
_OPERATOR = ("operator",)
_PAGE, _MAX_WORDS = 20, 80
_OPEN = (State.FAILED.value, State.RECEIVED.value)


class MessagePages:
    """What operators see of messages: who sent them, when, and why they failed, but nothing of patients."""

    def __init__(
        self, db: Database, journal: Journal, processor: MessageProcessor, access: Access, directory: Directory
    ) -> None:
        self._db, self._journal, self._processor = db, journal, processor
        self._access, self._directory = access, directory

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(PLACE, self.messages),
            Route(f"{PLACE}/{{id:uuid}}/repeat", self.repeat, methods=["POST"]),
        ]

    async def messages(self, request: Request) -> Response:
        """List messages, searched, with a plot of the last days."""
        await self._access.page_requester(request, _OPERATOR)
        query = request.query_params
        text, done = query.get("q", "").strip()[:_MAX_WORDS], query.get("show") == "done"
        states = (State.DONE.value,) if done else _OPEN
        after = decode_uuid_cursor(query.get("cursor") or None) or store.LAST
        named = (await self._directory.search_organizations(text, limit=50)).items if text else []
        found = await store.fetch_page(self._db, states, text, [one.id for one in named], after, _PAGE + 1)
        received, failed = await self._days(language_of(request))
        return await render(
            request,
            "exchange/hospital_messages.html",
            items=found[:_PAGE],
            next=encode_cursor(found[_PAGE - 1].message_id) if len(found) > _PAGE else None,
            names=await self._senders(found),
            text=text,
            done=done,
            outcome=query.get("outcome", ""),
            received=received,
            failed=failed,
            place=PLACE,
            days=message_terms_on(today()).failed.days,
            reason_of=_reason,
        )

    async def repeat(self, request: Request) -> Response:
        """Process a message again."""
        requester = await self._access.page_requester(request, _OPERATOR)
        message_id: UUID = request.path_params["id"]
        found = await self._processor.repeat(message_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        done = found.state is State.DONE
        event = MessageRepeated(message_id=message_id, organization_id=found.organization_id, done=done)
        await self._journal.append_for(requester, event)
        return redirect(f"{PLACE}?outcome={'done' if done else 'failed'}")

    async def _senders(self, items: Sequence[IncomingMessage]) -> dict[UUID, str]:
        found: dict[UUID, Organization] = await self._directory.organizations({one.organization_id for one in items})
        return {key: one.name for key, one in found.items()}

    async def _days(self, language: str) -> tuple[list[tuple[str, int, str]], list[tuple[str, int, str]]]:
        """Return the marks of the plots of the last days: received, and not processed."""
        first = today() - SPAN
        begin = datetime(first.year, first.month, first.day, tzinfo=time_zone())
        rows = {
            day: (count, failed) for day, count, failed in await store.count_by_day(self._db, begin, str(time_zone()))
        }
        days = [first + timedelta(days=number) for number in range(SPAN.days + 1)]
        marks = [(show_date(day, language), rows.get(day, (0, 0))) for day in days]
        received = [(tick, count, str(count)) for tick, (count, _) in marks]
        return received, [(tick, failed, str(failed)) for tick, (_, failed) in marks]


def _reason(one: IncomingMessage) -> str:
    """Return why a message failed, for operators (a msgid); "" for one that was broken off."""
    return CODE_WORDS[Code(one.code)] if one.code else ""
