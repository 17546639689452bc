"""JSON Patch (RFC 6902) of a resource, within bounds."""

from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from esante.core.fhir.json_codec import NotJson, compact, decode
from esante.core.web import N_, Problem

MEDIA_TYPE = "application/json-patch+json"
MAX_OPERATIONS = 200
MAX_COPIED = 64 * 1024
"""Bytes by which copies within the resource may make it larger, beside what the patch brings along."""
_REMEDY = N_("Send a JSON Patch (RFC 6902): a list of operations, each with op and path.")


def patched(resource: dict[str, Any], patch: bytes, limit: int) -> dict[str, Any]:
    """The resource after a patch, which must all apply; `resource` itself may be changed.

    Problem 400 for what is no patch, 422 with the number of the operation that does not fit the resource, 413 when the
    resource would have more than `limit` bytes, or grow by copies without end: each operation can at most double it,
    so it is weighed after each.
    """
    try:
        operations = decode(patch)
    except NotJson as error:
        raise _no_patch(str(error)) from None
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise _no_patch()
    if len(operations) > MAX_OPERATIONS:
        raise _no_patch(f"{MAX_OPERATIONS} operations are allowed.")
    value: Any = resource
    limit = min(limit, len(compact(resource) or b"") + len(patch) + MAX_COPIED)
    for number, operation in enumerate(operations):
        value = _applied(value, operation, number)
        text = compact(value) if operation.get("op") in ("add", "copy", "replace") else b""
        if text is None or len(text) > limit:
            raise Problem(413, "too-long", N_("This is too large."), detail=f"{limit:,} bytes are allowed.")
    if not isinstance(value, dict):
        raise _unfit(0, "The resource itself cannot become something else.")
    return value


def _applied(value: Any, operation: dict[str, Any], number: int) -> Any:
    try:
        return JsonPatch([operation]).apply(value, in_place=True)
    except (JsonPatchException, JsonPointerException, TypeError, KeyError, IndexError, ValueError) as error:
        raise _unfit(number, str(error)[:200]) from None


def _no_patch(detail: str = "") -> Problem:
    return Problem(400, "structure", N_("The patch cannot be read."), detail=detail, remedy=_REMEDY)


def _unfit(number: int, detail: str) -> Problem:
    return Problem(
        422,
        "processing",
        N_("The patch does not fit the resource."),
        place=f"[{number}]",
        detail=detail,
        remedy=N_("Read the resource again, and send a patch of its current version."),
    )
