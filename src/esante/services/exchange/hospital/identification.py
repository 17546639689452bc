"""PIXv3 and PDQv3: who a patient is, in the directory's words, and the numbers that organisations have for them."""

from collections.abc import Sequence
from datetime import date

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Database, insert
from esante.core.web import Problem, translator
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person, PersonQuery
from esante.services.exchange.hl7v3.identifiers import MERGED, REVISED
from esante.services.exchange.hl7v3.model import (
    FoundPatient,
    IdentifierQuery,
    InstanceId,
    PatientAnswer,
    PatientFeed,
    PatientQuery,
    Refusal,
    ResponseCode,
)
from esante.services.exchange.hospital import store
from esante.services.exchange.hospital.model import IdentifiersLinked
from esante.services.exchange.hospital.patients import Patients
from esante.services.record import DIFFERS, Demographics, PersonName, compare_document, matricule_system

UNKNOWN_KEY, DUPLICATE, NOT_SUPPORTED, MISSING = "204", "205", "103", "101"
"""Codes of errors (HL7 table 0357)."""
_SEXES = {"M": "male", "F": "female", "UN": "other"}
_CODES = {sex: code for code, sex in _SEXES.items()}
_NOT_LINKED = "There is no person of this national number with this name, birth date and sex."


class Identification:
    """Answers queries for persons and their identifiers, and keeps the numbers of organisations."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, patients: Patients) -> None:
        self._db, self._journal, self._directory, self._patients = db, journal, directory, patients

    async def demographics(self, requester: Requester, query: PatientQuery) -> PatientAnswer:
        """Return who matches exactly (ITI-47), by an identifier, or by family name and birth date."""
        if query.other:
            return self._no_answer(query, NOT_SUPPORTED, f"The parameter {query.other[0][:60]} is not supported.")
        if unknown := await self._unknown_domain(query.scopes):
            return self._no_answer(query, UNKNOWN_KEY, f"The issuer {unknown[:60]} is not known here.")
        try:
            found = await self._search(requester, query)
        except Problem as problem:
            if problem.status != 400:
                raise
            gettext = translator("en").gettext
            return self._no_answer(query, MISSING, f"{gettext(problem.title)} {gettext(problem.remedy)}")
        people = [await self._found(requester, person, query.scopes) for person in found]
        response = ResponseCode.OK if people else ResponseCode.NOT_FOUND
        return PatientAnswer(query, people, response=response, home=self._patients.community)

    async def identifiers(
        self, requester: Requester, query: IdentifierQuery
    ) -> tuple[list[InstanceId], Refusal | None]:
        """Return the identifiers of a patient (ITI-45), or why there are none: the same for all who are not found."""
        if unknown := await self._unknown_domain(query.domains):
            return [], Refusal(UNKNOWN_KEY, f"The issuer {unknown[:60]} is not known here.")
        try:
            found = await self._by_id(requester, query.patient)
        except Problem as problem:
            if problem.status != 400:
                raise
            found = []  # nobody has a number that its system does not give
        if not found:
            return [], Refusal(UNKNOWN_KEY, "There is no patient of this identifier.")
        return [one for one in await self._ids(requester, found[0], query.domains) if one != query.patient], None

    async def take(self, requester: Requester, feed: PatientFeed) -> Refusal | None:
        """Keep the organisation's own numbers of a patient (ITI-44); return why they were refused, or None.

        The person is that of the national number in the message, if name, birth date and sex are theirs too. The
        entry in the directory never changes. Persons are never merged: that is for the register of persons.
        """
        if feed.interaction == MERGED:
            return Refusal(NOT_SUPPORTED, "Numbers are not merged here: send the right number with PRPA_IN201302UV02.")
        if requester.organization_id is None:
            return Refusal(NOT_SUPPORTED, "Only an organisation has numbers of its own.")
        national = [one for one in feed.patient.ids if f"urn:oid:{one.root}" == matricule_system()]
        own = [one for one in feed.patient.ids if one not in national]
        if len(national) != 1 or not own:
            return Refusal(MISSING, "One national number and at least one number of your own are needed.")
        if any(one.root == self._patients.community for one in own):
            return Refusal(NOT_SUPPORTED, "The numbers of this platform are not yours.")
        person = await self._patients.find_by_id(requester, national[0])
        if requester.only_person_id not in (None, person.id if person else NIL) or not await self._is_right(
            person, national[0], feed.patient
        ):
            event = IdentifiersLinked(allowed=False, rule=DIFFERS.rule, reason=DIFFERS.reason)
            await self._journal.append_for(requester, event, person_id=person.id if person else NIL)
            return Refusal(UNKNOWN_KEY, _NOT_LINKED)
        assert person is not None
        return await self._link(requester, person, own, may_move=feed.interaction == REVISED)

    async def _link(
        self, requester: Requester, person: Person, own: Sequence[InstanceId], *, may_move: bool
    ) -> Refusal | None:
        organization_id, now = requester.organization_id or NIL, clock.now()
        async with self._db.transaction() as conn:
            for one in own:
                known = await store.lock_local_identifier(conn, organization_id, one.root, one.extension)
                if known not in (None, person.id) and not may_move:
                    return Refusal(DUPLICATE, "One of your numbers is another patient's: correct it with a revision.")
            for one in own:
                await store.set_local_identifier(conn, organization_id, one.root, one.extension, person.id, now)
            event = IdentifiersLinked(rule="identifiers.own")
            await insert(conn, self._journal.rows_for(requester, event, person_id=person.id))
        return None

    async def _is_right(self, person: Person | None, national: InstanceId, said: FoundPatient) -> bool:
        """Return whether what is said of a patient is true of the person; counted as a look-up that found nobody."""
        birth = said.birth[:8]
        claims = Demographics(
            identifiers=((matricule_system(), national.extension),),
            names=(PersonName(family=said.family, given=tuple(" ".join(said.given).split())),),
            birth_date="-".join(filter(None, (birth[:4], birth[4:6], birth[6:8]))),
            sex=_SEXES.get(said.gender, ""),
        )
        async with self._directory.lookups.admitted() as lookup:
            right = bool(said.family and len(birth) == 8) and not compare_document(person, claims, "").differences
            if person is None or not right:
                await lookup.record_miss(journalled=True)
                return False
        return True

    async def _search(self, requester: Requester, query: PatientQuery) -> list[Person]:
        if len(query.ids) == 1 and not (query.family or query.birth):
            found = await self._by_id(requester, query.ids[0])
            return [one for one in found if not query.gender or one.sex == _SEXES.get(query.gender)]
        value = query.ids[0] if query.ids else None
        criteria = PersonQuery(
            system=f"urn:oid:{value.root}" if value and value.root else None,
            value=value.extension if value else None,
            family=query.family or None,
            given=query.given or None,
            birth_date=_day(query.birth),
            sex=_SEXES.get(query.gender) if query.gender else None,
        )
        return await self._directory.search_persons(
            criteria, actor=requester.actor, origin=requester.origin, only_person_id=requester.only_person_id
        )

    async def _by_id(self, requester: Requester, identifier: InstanceId) -> list[Person]:
        """Return the person of an identifier, searched for like every person and journalled."""
        own = None
        if requester.organization_id:
            own = await store.find_by_local_identifier(
                self._db, requester.organization_id, identifier.root, identifier.extension
            )
        if own is None and identifier.root == self._patients.community:
            found = await self._patients.find_by_id(requester, identifier)
            own = found.id if found else NIL
        criteria = (
            PersonQuery(id=own)
            if own is not None
            else PersonQuery(system=f"urn:oid:{identifier.root}", value=identifier.extension)
        )
        return await self._directory.search_persons(
            criteria, actor=requester.actor, origin=requester.origin, only_person_id=requester.only_person_id
        )

    async def _unknown_domain(self, domains: Sequence[str]) -> str:
        """Return the first issuer of whom nobody here has an identifier."""
        known = {matricule_system().removeprefix("urn:oid:"), self._patients.community}
        others = [one for one in domains if one not in known]
        issuers = await store.find_issuers(self._db, others) if others else set()
        return next((one for one in others if one not in issuers), "")

    async def _ids(self, requester: Requester, person: Person, domains: Sequence[str]) -> list[InstanceId]:
        ids = [
            InstanceId(one.system.removeprefix("urn:oid:"), one.value)
            for one in person.identifiers
            if one.system.startswith("urn:oid:")
        ]
        ids.append(InstanceId(self._patients.community, person.id.hex))
        if requester.organization_id:
            own = await store.fetch_local_identifiers(self._db, requester.organization_id, person.id)
            ids += [InstanceId(issuer, value) for issuer, value in own]
        return [one for one in ids if not domains or one.root in domains]

    async def _found(self, requester: Requester, person: Person, domains: Sequence[str]) -> FoundPatient:
        address = person.address
        return FoundPatient(
            ids=await self._ids(requester, person, domains),
            family=person.family,
            given=person.given,
            gender=_CODES.get(person.sex, ""),
            birth=person.birth_date.strftime("%Y%m%d"),
            street=address.line,
            postal_code=address.postal_code,
            city=address.city,
            country=address.country,
        )

    def _no_answer(self, query: PatientQuery, code: str, text: str) -> PatientAnswer:
        return PatientAnswer(
            query,
            refusal=Refusal(code, text),
            is_error=True,
            response=ResponseCode.ERROR,
            home=self._patients.community,
        )


def _day(text: str) -> date | None:
    """Return a whole day; a part of one is no criterion that a search takes."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text.isdigit() else None
    except ValueError:
        return None
