"""Logical ids of the resources of a person."""

from uuid import UUID

from esante.core.storage import parse_uuid


def parse_logical_id(logical_id: str) -> tuple[UUID, UUID] | None:
    """Return the person's key and the resource's own key, or None for an id of another form.

    The id of each resource of a person holds both keys, 32 hexadecimal digits each, so that every look-up is bounded
    by one person.
    """
    if len(logical_id) != 64 or not logical_id.isascii() or logical_id != logical_id.lower():
        return None
    try:
        return parse_uuid(logical_id[:32]), parse_uuid(logical_id[32:])
    except ValueError:
        return None
