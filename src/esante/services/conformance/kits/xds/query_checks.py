"""Stored queries (ITI-18)."""

from collections.abc import Mapping, Sequence

from esante.core.xds import (
    APPROVED,
    DEPRECATED,
    FIND_DOCUMENTS,
    FIND_SUBMISSION_SETS,
    GET_DOCUMENTS,
    GET_SUBMISSION_SET_AND_CONTENTS,
    GET_SUBMISSION_SETS,
    HAS_MEMBER,
    DocumentEntry,
)
from esante.services.conformance.kits.checks import Checks, expect
from esante.services.conformance.kits.session import Session
from esante.services.conformance.kits.xds.caller_checks import find_parameters
from esante.services.conformance.kits.xds.document_checks import provided
from esante.services.conformance.kits.xds.documents import LOINC, OTHER_TYPE, TYPE
from esante.services.conformance.kits.xds.messages import ENTRY, SUBMISSION_SET, query

CHECKS = Checks()
UNKNOWN_PATIENT = "kit-nobody^^^&2.25.1&ISO"
UNKNOWN_QUERY = "urn:uuid:00000000-0000-4000-8000-000000000000"


async def _expect_found(session: Session, more: Mapping[str, Sequence[str]], wanted: bool, remedy: str) -> None:
    """Raise `Fault` unless FindDocuments with further parameters finds the document, or does not, as wanted."""
    listing, _ = await query(session, FIND_DOCUMENTS, find_parameters(session) | dict(more))
    found = provided(session).entry.unique_id in [one.unique_id for one in listing.documents]
    named = ", ".join(f"{name}={'/'.join(values)}" for name, values in more.items())
    expect(found == wanted, f"With {named} the document is {'not ' if wanted else ''}found.", remedy)


@CHECKS.of("XDS-18")
async def _references(session: Session) -> None:
    parameters = find_parameters(session)
    listing, answer = await query(session, FIND_DOCUMENTS, parameters, only_references=True)
    named = [one.get("id") for one in answer.message.content.iter("{*}ObjectRef")]
    entry: DocumentEntry = session.value("entry")
    known = entry.entry_uuid in named and not listing.documents
    expect(known, "The document is not named by an ObjectRef alone.", "Obey returnType ObjectRef.")


@CHECKS.of("XDS-19")
async def _by_status(session: Session) -> None:
    await _expect_found(session, {f"{ENTRY}Status": [DEPRECATED]}, False, "Compare the status.")


@CHECKS.of("XDS-20")
async def _by_type(session: Session) -> None:
    for code, wanted in ((TYPE, True), (OTHER_TYPE, False)):
        await _expect_found(session, {f"{ENTRY}TypeCode": [f"{code}^^{LOINC}"]}, wanted, "Compare typeCode.")


@CHECKS.of("XDS-21")
async def _by_time(session: Session) -> None:
    for year, wanted in (("2001", True), ("1990", False)):
        period = {f"{ENTRY}ServiceStartTimeFrom": [f"{year}0101"], f"{ENTRY}ServiceStartTimeTo": [f"{year}1231"]}
        await _expect_found(session, period, wanted, "Compare serviceStartTime with the period.")


async def _expect_named(session: Session, parameter: str, value: str) -> None:
    """Raise `Fault` unless GetDocuments finds exactly the document by an identifier."""
    listing, _ = await query(session, GET_DOCUMENTS, {parameter: [value]})
    found = [one.unique_id for one in listing.documents]
    remedy = "Find documents by their identifiers alone."
    expect(found == [provided(session).entry.unique_id], f"{len(found)} documents were found.", remedy)


@CHECKS.of("XDS-22")
async def _by_uuid(session: Session) -> None:
    await _expect_named(session, f"{ENTRY}EntryUUID", session.value("entry").entry_uuid)


@CHECKS.of("XDS-23")
async def _by_unique_id(session: Session) -> None:
    await _expect_named(session, f"{ENTRY}UniqueId", session.value("entry").unique_id)


@CHECKS.of("XDS-24")
async def _submission_sets(session: Session) -> None:
    listing, _ = await query(session, GET_SUBMISSION_SETS, {"$uuid": [session.value("entry").entry_uuid]})
    own = [one.entry_uuid for one in listing.submission_sets]
    expect(len(own) == 1, f"The document is in {len(own)} submission sets.", "Give the set in which it came.")
    parameters = {
        f"{SUBMISSION_SET}PatientId": [session.option("patient-cx")],
        f"{SUBMISSION_SET}Status": [APPROVED],
    }
    listing, _ = await query(session, FIND_SUBMISSION_SETS, parameters)
    known = own[0] in [one.entry_uuid for one in listing.submission_sets]
    expect(known, "The submission set is not found by its patient.", "Register submission sets.")
    session.values["set"] = own[0]


@CHECKS.of("XDS-25")
async def _contents(session: Session) -> None:
    parameters = {f"{SUBMISSION_SET}EntryUUID": [session.value("set")]}
    listing, _ = await query(session, GET_SUBMISSION_SET_AND_CONTENTS, parameters)
    found = [one.unique_id for one in listing.documents]
    members = [one for one in listing.associations if one.type == HAS_MEMBER]
    known = found == [provided(session).entry.unique_id] and members
    expect(known, f"{len(found)} documents and {len(members)} members were found.", "Give the set and its members.")


@CHECKS.of("XDS-26")
async def _unknown_patient(session: Session) -> None:
    parameters = find_parameters(session) | {f"{ENTRY}PatientId": [UNKNOWN_PATIENT]}
    listing, _ = await query(session, FIND_DOCUMENTS, parameters)
    expect(not listing.documents, f"{len(listing.documents)} documents were found.", "Compare the patient.")


async def _expect_error(session: Session, id_: str, parameters: Mapping[str, Sequence[str]], code: str) -> None:
    """Raise `Fault` unless a query is answered with an error."""
    listing, _ = await query(session, id_, parameters)
    codes = [one.code for one in listing.errors]
    expect(code in codes, f"The errors are {codes}.", f"Answer with {code}.")


@CHECKS.of("XDS-27")
async def _missing_parameter(session: Session) -> None:
    status = {f"{ENTRY}Status": find_parameters(session)[f"{ENTRY}Status"]}
    await _expect_error(session, FIND_DOCUMENTS, status, "XDSStoredQueryMissingParam")


@CHECKS.of("XDS-28")
async def _unknown_query(session: Session) -> None:
    await _expect_error(session, UNKNOWN_QUERY, find_parameters(session), "XDSUnknownStoredQuery")
