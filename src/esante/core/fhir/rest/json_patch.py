"""JSON Patch (RFC 6902) of a resource, with limits on its size."""

from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException

from esante.core.fhir.json_codec import NotJson, decode, encode_compact
from esante.core.types import Json
from esante.core.web import N_, Problem

JSON_PATCH = "application/json-patch+json"
MAX_OPERATIONS = 200
"""Operations of a patch."""
MAX_GROWTH = 64 * 1024
"""Bytes by which copies within the resource may make it larger, beside the size of the patch itself."""
_REMEDY = N_("Send a JSON Patch (RFC 6902): a list of operations, each with op and path.")


def apply_json_patch(resource: Json, patch: bytes, limit: int) -> Json:
    """Apply all operations of a patch, and return the resource; `resource` itself may be changed.

    The size is checked after each operation, since each can double it by copying.

    Raises: Problem 400 when `patch` is no JSON Patch; 422 with the number of the operation that does not apply; 413
    when the resource would have more than `limit` bytes, or grow by more than the patch and `MAX_GROWTH`.
    """
    try:
        operations = decode(patch)
    except NotJson as error:
        raise _invalid_patch(str(error)) from None
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise _invalid_patch()
    if len(operations) > MAX_OPERATIONS:
        raise _invalid_patch(f"At most {MAX_OPERATIONS} operations are allowed.")
    value: Any = resource
    limit = min(limit, len(encode_compact(resource) or b"") + len(patch) + MAX_GROWTH)
    for number, operation in enumerate(operations):
        value = _apply_operation(value, operation, number)
        text = encode_compact(value) if operation.get("op") in ("add", "copy", "replace") else b""
        if text is None or len(text) > limit:
            raise Problem(413, "too-long", N_("This is too large."), detail=f"At most {limit:,} bytes are allowed.")
    if not isinstance(value, dict):
        raise _not_applicable(0, "The resource must remain a JSON object.")
    return value


def _apply_operation(value: Any, operation: Json, number: int) -> Any:
    try:
        return JsonPatch([operation]).apply(value, in_place=True)
    except (JsonPatchException, JsonPointerException, TypeError, KeyError, IndexError, ValueError) as error:
        raise _not_applicable(number, str(error)[:200]) from None


def _invalid_patch(detail: str = "") -> Problem:
    return Problem(400, "structure", N_("The patch cannot be read."), detail=detail, remedy=_REMEDY)


def _not_applicable(number: int, detail: str) -> Problem:
    return Problem(
        422,
        "processing",
        N_("The patch does not fit the resource."),
        place=f"[{number}]",
        detail=detail,
        remedy=N_("Read the resource again, and send a patch of its current version."),
    )
