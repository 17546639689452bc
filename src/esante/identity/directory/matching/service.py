"""The use case of a match: which entries may be of a person who is described (IHE PDQm, ITI-119)."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from uuid import UUID

from esante.core.journal import Actor, Journal
from esante.core.storage import NIL, Database, Row
from esante.core.time_zone import today
from esante.core.web import N_, bad_request
from esante.identity.directory.matching import rules
from esante.identity.directory.matching.candidate_store import find_match_candidates
from esante.identity.directory.matching.model import Match, Traits
from esante.identity.directory.matching.weights import match_weights
from esante.identity.directory.model import Identifier, PersonSearched
from esante.identity.directory.service import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The description of a person, and the conditions of the answer.

    `identifiers`: all of them, the matricule included. `certain_only`: at most the one certain match is answered.
    """

    traits: Traits
    identifiers: tuple[Identifier, ...] = ()
    certain_only: bool = False
    count: int = 10


class Matching:
    """Finds the entries that may be of a person; every match is journalled like a search."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self.matricule_system = directory.catalogue.system("matricule").uri
        self.merges = directory.merges

    async def match(
        self, asked: Asked, *, actor: Actor, origin: str = "", only_person_id: UUID | None = None
    ) -> list[Match]:
        """Return the matches, best first, and journal the search for each of them, or for nobody.

        `only_person_id`: the one person whom the actor may see; the others are not even compared, so that the answer
        does not tell of them.
        Raises: Problem 400 when the description has neither an identifier nor a family name with the whole day of
        birth, 429 after too many that found nobody, and what `Lookups.motive` raises.
        """
        motive = self._directory.lookups.motive()
        _require_enough(asked)
        async with self._directory.lookups.admitted() as lookup:
            found = await self._rank(asked, only_person_id)
            event = PersonSearched(
                by=("match", *_stated(asked)),
                found=len(found),
                motive=motive.purpose,
                file_reference=motive.file_reference,
            )
            rows: list[Row] = []
            for person_id in [match.person.id for match in found] or [NIL]:
                rows += self._journal.rows(event, person_id=person_id, actor=actor, origin=origin)
            await self._db.write(rows)
            if not found:
                await lookup.record_miss(journalled=True)
        return found

    async def _rank(self, asked: Asked, only_person_id: UUID | None) -> list[Match]:
        traits, weights = asked.traits, match_weights(today())
        days = rules.near_dates(traits.birth_date) if traits.birth_date and traits.family else ()
        candidates = await find_match_candidates(
            self._db, asked.identifiers, traits.birth_date, traits.family, traits.given, days
        )
        best: dict[UUID, Match] = {}
        for person in candidates:
            agreement = rules.compare(traits, rules.traits_of(person, self.matricule_system), weights)
            (leading,) = await self.merges.lead([person])
            known = best.get(leading.id)
            if only_person_id in (None, leading.id) and (known is None or agreement.bits > known.agreement.bits):
                best[leading.id] = Match(person=leading, agreement=agreement)
        matches = rules.rank(best.values())
        if asked.certain_only:
            return [match for match in matches if match.agreement.grade == "certain"][:1]
        return matches[: asked.count]


def _require_enough(asked: Asked) -> None:
    if not asked.identifiers and not (asked.traits.family and asked.traits.birth_date):
        raise bad_request(
            "Patient",
            N_("There is not enough information to find one person."),
            N_("Give an identifier, or the family name and the full date of birth together."),
            code="required",
        )


def _stated(asked: Asked) -> Collection[str]:
    """Return the names of the traits that the description has."""
    return sorted(field.name for field in fields(asked.traits) if getattr(asked.traits, field.name))
