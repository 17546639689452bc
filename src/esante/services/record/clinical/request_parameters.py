"""Parts of HTTP requests on clinical resources: ids, page sizes, dates, cursors, patches."""

from datetime import datetime
from uuid import UUID

from starlette.requests import Request

from esante.core.fhir import parse_logical_id, store
from esante.core.fhir.rest import DEFAULT_COUNT, JSON_PATCH, MAX_COUNT, parse_date_range
from esante.core.web import N_, bad_request, decode_cursor, encode_cursor, no_such_page, read_body
from esante.services.record import errors
from esante.services.record.clinical.view import LogicalId
from esante.services.record.clinical.write import MAX_RESOURCE


def logical_id_of(request: Request) -> LogicalId:
    """Return the keys in the id of a request. Raises: `Problem` 404 for an id that cannot exist here."""
    keys = parse_logical_id(request.path_params["id"])
    if keys is None:
        raise errors.not_found()
    return keys


def uuid_of(text: str) -> UUID | None:
    """Return the UUID that a text is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def read_patch(request: Request) -> bytes:
    """Return the body of a PATCH. Raises: `Problem` 415 for another format than JSON Patch, 413 when too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_PATCH:
        raise bad_request(
            "Content-Type",
            N_("Requests in this format are not supported."),
            N_("Send a JSON Patch as application/json-patch+json."),
            status=415,
            code="not-supported",
        )
    return await read_body(request, MAX_RESOURCE)


def parse_count(text: str | None) -> int:
    """Return the number of entries of a page (`_count`). Raises: `Problem` 400."""
    if text is None:
        return DEFAULT_COUNT
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise bad_request("_count", N_("This is not a whole number."), N_("Enter a number of 0 or more."))
    return min(int(text), MAX_COUNT)


def parse_since(text: str | None) -> datetime | None:
    """Return the moment of `_since`. Raises: `Problem` 400."""
    return parse_date_range(text, "_since").low if text else None


def history_cursor(version: store.Version) -> str:
    """Return the cursor of the page of a history that follows a version."""
    return encode_cursor(version.since.isoformat(), version.type, version.id.hex, version.source.hex, version.version)


def parse_history_cursor(cursor: str | None) -> store.HistoryPosition:
    """Return the place in a history at which a page begins. Raises: `Problem` 400."""
    if cursor is None:
        return store.HISTORY_START
    since, type_, id_, source, version = decode_cursor(cursor, str, str, UUID, UUID, int)
    try:
        return datetime.fromisoformat(since).astimezone(), type_, id_, source, version
    except (ValueError, OverflowError) as error:
        raise no_such_page() from error
