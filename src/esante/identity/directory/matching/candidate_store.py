"""The SQL that finds which entries a comparison is worth making with."""

from collections.abc import Iterable, Sequence
from datetime import date

from esante.core.storage import Database
from esante.identity.directory.model import Identifier, Person
from esante.identity.directory.store import fetch_persons

MOST_CANDIDATES = 200
"""Entries of one day of birth, and of one name on near days, that are compared at most."""

_CANDIDATES = """
SELECT person_id FROM person_identifier
WHERE (value, system) IN (SELECT * FROM unnest($1::text[], $2::text[]))
UNION
(SELECT id FROM person WHERE birth_date = $3
 ORDER BY left(family_key, 3) = left($4, 3) DESC, left(given_key, 3) = left($5, 3) DESC, id LIMIT $7)
UNION
(SELECT id FROM person WHERE family_key = $4 AND birth_date = ANY($6) LIMIT $7)
"""


async def find_match_candidates(
    db: Database,
    identifiers: Iterable[Identifier],
    birth_date: date | None,
    family: str,
    given: str,
    days: Sequence[date],
) -> list[Person]:
    """Return the persons who have one of the identifiers, were born on the day, or have the name and a near day.

    `family` and `given` are normalised. Of a day on which very many were born, those with a like beginning of the
    names come first.
    """
    asked = list(identifiers)
    rows = await db.fetch(
        _CANDIDATES,
        [one.value for one in asked],
        [one.system for one in asked],
        birth_date,
        family,
        given,
        list(days),
        MOST_CANDIDATES,
    )
    return await fetch_persons(db, [row["person_id"] for row in rows])
