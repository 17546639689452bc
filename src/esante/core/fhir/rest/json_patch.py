"""JSON Patch (RFC 6902) of a resource, with limits on its size."""

from collections.abc import Iterable
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException

from esante.core.fhir.json_codec import (
    NotJson,
    ObjectWithRepeatedNames,
    decode,
    decode_marking_repeats,
    encode,
    encode_compact,
    may_repeat_names,
)
from esante.core.types import Json
from esante.core.web import N_, Problem

JSON_PATCH = "application/json-patch+json"
MAX_OPERATIONS = 200
"""Operations of a patch."""
MAX_GROWTH = 64 * 1024
"""Bytes by which copies within the resource may make it larger, beside the size of the patch itself."""
_MEMBERS = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from", "remove": "path"}
"""The operations of RFC 6902, each with the member that it needs beside `path`."""
_REMEDY = N_("Send a JSON Patch (RFC 6902): a list of operations, each with op and path.")


def apply_json_patch(resource: Json, patch: bytes, limit: int) -> Json:
    """Apply all operations of a patch, and return the resource; `resource` itself may be changed.

    The size is checked after each operation, since each can double it by copying.

    Raises: Problem 400 when `patch` is no JSON Patch, also for a name that an object has twice; 422 with the number of
    the operation that does not apply; 413 when the resource would have more than `limit` bytes, or grow by more than
    the patch and `MAX_GROWTH`.
    """
    operations = _read_operations(patch)
    value: Any = resource
    limit = min(limit, len(encode_compact(resource) or b"") + len(patch) + MAX_GROWTH)
    for number, operation in enumerate(operations):
        value = _apply_operation(value, operation, number)
        text = encode_compact(value) if operation.get("op") in ("add", "copy", "replace") else b""
        if text is None or len(text) > limit:
            raise Problem(
                413,
                "too-long",
                N_("This file or request is too large."),
                detail=f"At most {limit:,} bytes are allowed.",
            )
    if not isinstance(value, dict):
        raise _not_applicable(0, "The resource must remain a JSON object.")
    return value


def _read_operations(patch: bytes) -> list[Json]:
    """Return the operations of a patch, each with the members that it needs. Raises: Problem 400."""
    try:
        operations = decode(patch)
        if may_repeat_names(patch, encode(operations)):
            _refuse_repeated_names(decode_marking_repeats(patch))
    except NotJson as error:
        raise _invalid_patch(str(error)) from None
    except RecursionError:
        raise _invalid_patch("It is nested too deeply.") from None
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise _invalid_patch()
    if len(operations) > MAX_OPERATIONS:
        raise _invalid_patch(f"At most {MAX_OPERATIONS} operations are allowed.")
    for number, operation in enumerate(operations):
        _check_members(operation, number)
    return operations


def _check_members(operation: Json, number: int) -> None:
    """Raise Problem 400 unless an operation is one of RFC 6902, 4, and has what this needs."""
    op = operation.get("op")
    needed = _MEMBERS.get(op) if isinstance(op, str) else None
    if needed is None:
        raise _invalid_patch(f"Operation {number} has none of the values of op: {', '.join(_MEMBERS)}.")
    if needed not in operation:
        raise _invalid_patch(f"Operation {number} has no {needed}.")
    for name in {"path", needed} - {"value"}:
        pointer = operation.get(name)
        if not isinstance(pointer, str):
            raise _invalid_patch(f"Operation {number} has no {name}.")
        try:
            JsonPointer(pointer)
        except JsonPointerException as error:
            raise _invalid_patch(f"Operation {number}, {name}: {str(error)[:100]}") from None


def _refuse_repeated_names(value: Any) -> None:
    """Raise Problem 400 for an object in which a name occurs twice (RFC 6902, A.13): one value would be lost."""
    inner: Iterable[Any] = ()
    if isinstance(value, ObjectWithRepeatedNames):
        raise _invalid_patch(f"A name occurs twice in an object: {value.names[0][:64]}.")
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    for each in inner:
        _refuse_repeated_names(each)


def _apply_operation(value: Any, operation: Json, number: int) -> Any:
    try:
        if operation["op"] == "test":
            found = JsonPointer(operation["path"]).resolve(value)
            if not _are_equal(found, operation["value"]):
                raise _not_applicable(number, "The value is not the one that is tested for.")
            return value
        return JsonPatch([operation]).apply(value, in_place=True)
    except (JsonPatchException, JsonPointerException, TypeError, KeyError, IndexError, ValueError) as error:
        raise _not_applicable(number, str(error)[:200]) from None


def _are_equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal as JSON (RFC 6902, 4.6): of one type, numbers by their value."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_are_equal(each, other[name]) for name, each in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(_are_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _invalid_patch(detail: str = "") -> Problem:
    return Problem(400, "structure", N_("The patch cannot be read."), detail=detail, remedy=_REMEDY)


def _not_applicable(number: int, detail: str) -> Problem:
    return Problem(
        422,
        "processing",
        N_("The patch cannot be applied to the resource."),
        place=f"[{number}]",
        detail=detail,
        remedy=N_("Read the resource again and send a patch for its current version."),
    )
