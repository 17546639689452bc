"""Documents provided (ITI-41) and retrieved (ITI-43)."""

from dataclasses import replace

from esante.core.xds import APPROVED, DEPRECATED, FIND_DOCUMENTS, DocumentEntry, DocumentRequest
from esante.services.conformance.kits.checks import Checks, expect
from esante.services.conformance.kits.session import Session
from esante.services.conformance.kits.xds.caller_checks import find_parameters
from esante.services.conformance.kits.xds.documents import MEDIA_TYPE, Provided, new_document, new_oid, provide
from esante.services.conformance.kits.xds.messages import ENTRY, SoapAnswer, errors_in, query, retrieve, status_in

CHECKS = Checks()


def expect_success(answer: SoapAnswer, remedy: str) -> None:
    """Raise `Fault` unless a registry answers that all was done."""
    errors = "; ".join(f"{one.code}: {one.context}" for one in errors_in(answer))
    status = status_in(answer)
    expect(status == "Success" and not errors, f"The answer is {status or 'without a status'}. {errors}", remedy)


def provided(session: Session) -> Provided:
    """Return the document that the run provided."""
    found: Provided = session.value("document")
    return found


async def find_all(session: Session, *statuses: str) -> list[DocumentEntry]:
    """Return the documents of the test patient with one of some statuses."""
    parameters = find_parameters(session) | {f"{ENTRY}Status": list(statuses or (APPROVED,))}
    listing, _ = await query(session, FIND_DOCUMENTS, parameters)
    return list(listing.documents)


@CHECKS.of("XDS-06")
async def _provide(session: Session) -> None:
    document = new_document(session, "Conformance")
    expect_success(await provide(session, document), "Accept a document that is right.")
    session.values["document"] = document


@CHECKS.of("XDS-07")
async def _find(session: Session) -> None:
    document = provided(session)
    found = [one for one in await find_all(session) if one.unique_id == document.entry.unique_id]
    expect(len(found) == 1, f"The document is found {len(found)} times.", "Register what was provided.")
    session.values["entry"] = found[0]


@CHECKS.of("XDS-08")
async def _metadata(session: Session) -> None:
    given = provided(session).entry
    [found] = [one for one in await find_all(session) if one.unique_id == given.unique_id]
    pairs = {
        "mimeType": (found.mime_type, given.mime_type),
        "hash": (found.sha1.lower(), given.sha1),
        "size": (found.size, given.size),
        "typeCode": (found.type_code.code, given.type_code.code),
        "status": (found.status, APPROVED),
    }
    wrong = [name for name, (is_, should) in pairs.items() if is_ != should]
    expect(not wrong, f"{', '.join(wrong)} of the entry is wrong.", "Keep the metadata that were provided.")
    expect(found.repository_id, "repositoryUniqueId is missing.", "Say from which repository it is retrieved.")


def _request(session: Session, unique_id: str = "") -> DocumentRequest:
    entry: DocumentEntry = session.value("entry")
    return DocumentRequest(entry.home, entry.repository_id, unique_id or entry.unique_id)


@CHECKS.of("XDS-09")
async def _retrieve(session: Session) -> None:
    found, _ = await retrieve(session, _request(session))
    expect(len(found.documents) == 1, f"{len(found.documents)} documents were sent.", "Send the document.")
    document = found.documents[0]
    expect(document.content == provided(session).content, "The bytes differ.", "Return the bytes as they came.")
    expect(document.mime_type == MEDIA_TYPE, f"mimeType is {document.mime_type!r}.", "Say the media type.")


@CHECKS.of("XDS-10")
async def _mtom(session: Session) -> None:
    _, answer = await retrieve(session, _request(session))
    attached = answer.package.is_mtom and answer.package.attachments
    included = list(answer.message.content.iter("{http://www.w3.org/2004/08/xop/include}Include"))
    expect(attached and included, "The document stands in the message.", "Attach documents (MTOM, XOP).")


@CHECKS.of("XDS-11")
async def _unknown(session: Session) -> None:
    found, answer = await retrieve(session, _request(session, new_oid()))
    codes = [one.code for one in errors_in(answer)]
    wanted = "XDSDocumentUniqueIdError"
    expect(not found.documents and wanted in codes, f"The errors are {codes}.", f"Answer with {wanted}.")


@CHECKS.of("XDS-12")
async def _partly(session: Session) -> None:
    found, answer = await retrieve(session, _request(session), _request(session, new_oid()))
    status = status_in(answer)
    expect(len(found.documents) == 1, f"{len(found.documents)} documents were sent.", "Send those that there are.")
    expect(status == "PartialSuccess", f"The status is {status}.", "Answer PartialSuccess, with an error.")


async def _expect_nothing_kept(session: Session, document: Provided, answer: SoapAnswer, remedy: str) -> None:
    """Raise `Fault` unless a document was refused and is not found afterwards."""
    expect(status_in(answer) == "Failure" and errors_in(answer), f"The status is {status_in(answer)}.", remedy)
    kept = document.entry.unique_id in [one.unique_id for one in await find_all(session)]
    expect(not kept, "The document that was refused is found.", "Keep nothing of what is refused.")


@CHECKS.of("XDS-13")
async def _wrong_hash(session: Session) -> None:
    document = new_document(session, "Wrong hash", sha1="0" * 40)
    answer = await provide(session, document)
    await _expect_nothing_kept(session, document, answer, "Compare hash with the bytes, and refuse others.")


@CHECKS.of("XDS-14")
async def _without_bytes(session: Session) -> None:
    document = new_document(session, "Without bytes")
    answer = await provide(session, document, with_content=False)
    await _expect_nothing_kept(session, document, answer, "Refuse an entry without its document: XDSMissingDocument.")


@CHECKS.of("XDS-15")
async def _twice(session: Session) -> None:
    document = new_document(session, "Twice")
    expect_success(await provide(session, document), "Accept a document that is right.")
    errors = [one.code for one in errors_in(await provide(session, document))]
    allowed = not errors or errors == ["XDSDuplicateUniqueIdInRegistry"]
    expect(allowed, f"The errors are {errors}.", "Accept the same again, or answer XDSDuplicateUniqueIdInRegistry.")
    found = [one for one in await find_all(session) if one.unique_id == document.entry.unique_id]
    expect(len(found) == 1, f"The document is found {len(found)} times.", "Keep a document once.")


@CHECKS.of("XDS-16")
async def _replacement(session: Session) -> None:
    first = new_document(session, "First")
    expect_success(await provide(session, first), "Accept a document that is right.")
    [entry] = [one for one in await find_all(session) if one.unique_id == first.entry.unique_id]
    second = replace(new_document(session, "Second"), replaces=entry.entry_uuid)
    expect_success(await provide(session, second), "Accept a document that replaces another one.")
    both = {one.unique_id: one.status for one in await find_all(session, APPROVED, DEPRECATED)}
    states = [both.get(one.entry.unique_id, "").rpartition(":")[2] for one in (first, second)]
    wanted = ["Deprecated", "Approved"]
    expect(states == wanted, f"The documents are {states}.", "Deprecate what was replaced.")


@CHECKS.of("XDS-17")
async def _replaces_nothing(session: Session) -> None:
    document = new_document(session, "Replaces nothing", replaces=provided(session).submission_set.entry_uuid)
    answer = await provide(session, document)
    await _expect_nothing_kept(session, document, answer, "Refuse to replace what is not there: XDSReplaceFailed.")
