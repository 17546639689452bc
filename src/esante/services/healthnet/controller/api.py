"""The HTTP API of agents: `/healthnet/agent/v1`, JSON, requests signed by the agent's key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import Database, Overloaded, Unavailable
from esante.core.web import Problem, origin_of, read_body
from esante.services.healthnet.bundles.signer import changes_envelope, whole_envelope
from esante.services.healthnet.controller.authentication import Authentication, TooMany
from esante.services.healthnet.controller.connections import ROTATE_AFTER, Connections
from esante.services.healthnet.controller.enrolment import Enrolments
from esante.services.healthnet.controller.heartbeats import Heartbeats, parse_heartbeat
from esante.services.healthnet.controller.model import BundleReceived, ControlRefused
from esante.services.healthnet.controller.registry import KnownSite, Registry
from esante.services.healthnet.controller.rollout import bundle_store

BASE = "/healthnet/agent/v1"
LARGEST_BODY = 1024 * 1024
"""Bytes of a request: a heartbeat of a site with thousands of tunnels."""
LONGEST_WAIT = 30.0
_OUTCOMES = ("applied", "rolled_back", "refused", "release_refused")


class AgentApi:
    """The endpoints."""

    def __init__(
        self,
        db: Database,
        registry: Registry,
        connections: Connections,
        enrolments: Enrolments,
        heartbeats: Heartbeats,
        heartbeat_seconds: int = 30,
    ) -> None:
        self._db, self._registry, self._connections = db, registry, connections
        self._enrolments, self._heartbeats, self._every = enrolments, heartbeats, heartbeat_seconds
        self.authentication = Authentication(registry)

    def routes(self) -> list[Route]:
        """Return the routes."""
        found: list[tuple[str, str, Callable[[Request], Awaitable[Any]]]] = [
            ("POST", "/enrolments", self._enrol),
            ("GET", "/time", self._time),
            ("GET", "/bundle", self._bundle),
            ("POST", "/heartbeats", self._heartbeat),
            ("POST", "/receipts", self._receipt),
            ("POST", "/keys", self._key),
            ("GET", "/release", self._release),
            ("GET", "/release/file", self._release_file),
        ]
        return [Route(BASE + path, self._answering(handle), methods=[method]) for method, path, handle in found]

    def _answering(self, handle: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            headers = {"Healthnet-Time": str(int(clock.now().timestamp())), "Cache-Control": "no-store"}
            try:
                self.authentication.admit_network(request)
                found = await handle(request)
                content, status = b"" if found is None else orjson.dumps(found), 200 if found is not None else 204
            except TooMany as error:
                headers["Retry-After"] = str(error.seconds)
                content, status = _refusal(str(error)), 429
            except ControlRefused as error:
                content, status = _refusal(str(error)), error.status
            except (Overloaded, Unavailable):
                headers["Retry-After"] = "10"
                content, status = _refusal("the controller cannot work now: try again"), 503
            except Problem as error:
                content, status = _refusal(error.title), error.status
            return Response(content, status, headers, media_type="application/json")

        return answer

    async def _enrol(self, request: Request) -> Any:
        return await self._enrolments.enrol(_parsed(await read_body(request, 64 * 1024)), origin_of(request))

    async def _site(self, request: Request) -> tuple[KnownSite, int, bytes]:
        body = await read_body(request, LARGEST_BODY)
        known, sequence = self.authentication.site(request, body)
        return known, sequence, body

    async def _time(self, request: Request) -> Any:
        await self._site(request)
        return {"time": int(clock.now().timestamp())}

    async def _bundle(self, request: Request) -> Any:
        """Answer with a bundle after the serial `after`, as changes of `have` when that one is kept; 204 for none."""
        known, _, _ = await self._site(request)
        have, after = _number(request, "have"), _number(request, "after")
        if max(have, after) > known.serial:
            await self._catch_up(known.site, max(have, after))
        known.wake()  # one request of a site waits at a time
        waits = known.changed
        if known.serial <= after:
            try:
                await asyncio.wait_for(waits.wait(), min(LONGEST_WAIT, _number(request, "wait")))
            except TimeoutError:
                return None
        if known.serial <= after or known.is_revoked:
            return None
        row = await bundle_store.fetch_bundle(self._db, known.site, known.serial)
        if row is None:
            return None
        parts, signatures = orjson.loads(row["parts"]), orjson.loads(row["signatures"])
        before = await bundle_store.fetch_bundle(self._db, known.site, have) if have else None
        if before is None:
            return whole_envelope(row["head"], signatures, parts)
        return changes_envelope(row["head"], signatures, parts, have, orjson.loads(before["parts"]))

    async def _catch_up(self, site: str, serial: int) -> None:
        """Offer a bundle after the one of an agent that is ahead: this database was restored from a backup."""
        async with self._db.transaction() as conn:
            if await bundle_store.raise_in_force(conn, site, serial):
                await bundle_store.ask(conn, {site: 0}, is_forced=True)

    async def _heartbeat(self, request: Request) -> Any:
        known, sequence, body = await self._site(request)
        self._heartbeats.put(known.site, sequence, parse_heartbeat(body))
        answer = {"every": self._every, "generation": known.generation, "release": self._registry.release}
        if known.key_at and clock.now() - known.key_at >= ROTATE_AFTER:
            answer["rotate_to"] = known.generation + 1
        return answer

    async def _receipt(self, request: Request) -> Any:
        known, _, body = await self._site(request)
        content = _parsed(body)
        try:
            serial, outcome, in_force = int(content["serial"]), content["outcome"], int(content["in_force"])
            reason = str(content["reason"])[:500]
        except (KeyError, TypeError, ValueError) as error:
            raise ControlRefused(400, "this is no receipt") from error
        if outcome not in _OUTCOMES or not 0 <= serial <= known.serial or not 0 <= in_force < 2**62:
            raise ControlRefused(400, "this is no receipt of a bundle that was offered")
        await self._connections.keep_receipt(
            BundleReceived(site=known.site, serial=serial, outcome=outcome, reason=reason),
            in_force,
            origin_of(request),
        )
        return {}

    async def _key(self, request: Request) -> Any:
        known, _, body = await self._site(request)
        content = _parsed(body)
        try:
            generation, public = int(content["generation"]), str(content["public"])
        except (KeyError, TypeError, ValueError) as error:
            raise ControlRefused(400, "this is no key") from error
        if not 1 <= generation <= known.generation + 1_000:
            raise ControlRefused(400, "this is no generation of a key")
        await self._connections.add_key(known.site, generation, public)
        return {}

    async def _release(self, request: Request) -> Any:
        await self._site(request)
        row = await bundle_store.fetch_release(self._db)
        if row is None:
            return None
        return {"manifest": row["manifest"], "signature": orjson.loads(row["signature"])}

    async def _release_file(self, request: Request) -> Any:
        await self._site(request)
        row = await bundle_store.fetch_release(self._db)
        return {"content": row["file"].hex()} if row else None


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ControlRefused(400, "the body is no JSON") from error


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ControlRefused(400, f"{name} is no number")
    return int(text)


def _refusal(message: str) -> bytes:
    return orjson.dumps({"error": message})
