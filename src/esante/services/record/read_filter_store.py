"""SQL of the read filter: nothing is fetched that the requester may not read.

The conditions are on a row with the columns `confidentiality`, `category`, `author_id` and `organization_id`, and
`misfiled`, `series_id`, `event_date` where it is a document. Oppositions are texts of four parts: whose care or which
series, document class, first and last day; the day of a contribution is not known, and any is meant.
"""

from collections.abc import Sequence
from typing import Any

from esante.identity.access import Opposition, ReadFilter
from esante.services.record.model import MISFILED

_NAMES = ("everything", "labels", "author", "organization", "withheld")
BY_COLUMNS = ", ".join(f"by_{name}" for name in _NAMES)
"""The columns of the filter of each row, where a statement is for several requesters."""


def readable(wanted: ReadFilter, first: int, *, documents: bool = True) -> str:
    """Return SQL: whether a filter includes a row of the person `$1`; from `$first` on are the `filter_values`.

    Where the requester reads only what they wrote, it is found by who wrote it, and what others wrote is not scanned.
    """
    if not wanted.is_own_only:
        everything, labels, author, organization, withheld = (f"${first + place}" for place in range(5))
        condition = _condition(
            f"{everything}::boolean",
            f"{labels}::text[]",
            f"{author}::uuid",
            f"{organization}::uuid",
            documents=documents,
        )
        return f"{condition} AND NOT {_opposed(f'{withheld}::text[]', documents)}" if wanted.withheld else condition
    table, key = ("document", "document_id") if documents else ("contribution", "contribution_id")
    author, organization = f"${first}::uuid", f"${first + 1}::uuid"
    ids = f"SELECT {key} FROM {table} WHERE person_id = $1 AND"  # noqa: S608 - constant names
    return f"{key} IN ({ids} author_id = {author} UNION ALL {ids} organization_id IN ({author}, {organization}))"


def filter_values(wanted: ReadFilter) -> tuple[Any, ...]:
    """Return the parameters of `readable`."""
    own = wanted.author, wanted.organization
    if wanted.is_own_only:
        return own
    opposed = ([*map(_text_of, wanted.withheld)],) if wanted.withheld else ()
    return wanted.everything, wanted.labels, *own, *opposed


def readable_by_row(*, documents: bool = True) -> str:
    """Return SQL: whether a row is included by the filter that stands in its columns `BY_COLUMNS`."""
    everything, labels, author, organization, withheld = (f"by_{name}" for name in _NAMES)
    condition = _condition(everything, f"string_to_array({labels}, ' ')", author, organization, documents=documents)
    opposed = _opposed(f"string_to_array({withheld}, ' ')", documents)
    return f"({condition} AND ({withheld} = '' OR NOT {opposed}))"


def by_arrays(first: int) -> str:
    """Return the parameters from `$first` on that `unnest` makes into the columns `BY_COLUMNS`."""
    types = ("boolean", "text", "uuid", "uuid", "text")
    return ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(types, first))


def filter_columns(filters: Sequence[ReadFilter]) -> list[list[Any]]:
    """Return the values of the parameters `by_arrays`, column by column."""
    return [
        [one.everything for one in filters],
        [" ".join(one.labels) for one in filters],
        [one.author for one in filters],
        [one.organization for one in filters],
        [" ".join(map(_text_of, one.withheld)) for one in filters],
    ]


def _condition(everything: str, labels: str, author: str, organization: str, *, documents: bool) -> str:
    label = "confidentiality || '/' || category"
    if documents:
        label, everything = f"CASE WHEN misfiled THEN '{MISFILED}' ELSE {label} END", f"{everything} AND NOT misfiled"
    return (
        f"({everything} OR author_id = {author} OR organization_id IN ({author}, {organization})"
        f" OR {label} = ANY ({labels}))"
    )


def _text_of(opposition: Opposition) -> str:
    """Return an opposition as a text of four parts without blanks (see the module)."""
    about = opposition.series_id or opposition.depositor_id
    since, until = opposition.care_from or "-infinity", opposition.care_until or "infinity"
    return f"{about}/{opposition.document_class}/{since}/{until}"


def _opposed(withheld: str, documents: bool) -> str:
    """Return SQL: whether one of the oppositions in an array covers the row, as `Opposition.covers` has it."""
    part = [f"split_part(o, '/', {number})" for number in range(5)]
    about = "author_id::text, organization_id::text" + (", series_id::text" if documents else "")
    days = f" AND event_date BETWEEN {part[3]}::date AND {part[4]}::date" if documents else ""
    return (
        f"EXISTS (SELECT FROM unnest({withheld}) AS o"
        f" WHERE {part[1]} IN ({about}) AND {part[2]} IN ('', category){days})"
    )
