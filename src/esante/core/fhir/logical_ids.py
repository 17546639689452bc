"""Logical ids of what belongs to a person."""

from uuid import UUID

from esante.core.storage import parse_uuid


def keys_of(logical_id: str) -> tuple[UUID, UUID] | None:
    """The person's key and the thing's own in a logical id, or None for what is no id of ours.

    Whatever belongs to a person has both keys in its id, 32 hexadecimal digits each, so that every look-up is
    bounded by one person.
    """
    if len(logical_id) != 64 or not logical_id.isascii() or logical_id != logical_id.lower():
        return None
    try:
        return parse_uuid(logical_id[:32]), parse_uuid(logical_id[32:])
    except ValueError:
        return None
