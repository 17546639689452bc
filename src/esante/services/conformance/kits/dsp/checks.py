"""The checks of the kit of the shared care record; what each requires stands in data/requirements.toml."""

import base64
import hashlib
from typing import Any
from uuid import uuid4

from esante.services.conformance.kits.checks import (
    Checks,
    entries,
    expect,
    expect_outcome,
    expect_resource,
    expect_status,
)
from esante.services.conformance.kits.client_sign_in import (
    assertion,
    expect_oauth_error,
    expect_token,
    other_key,
    request_token,
    signing_key,
    token_form,
)
from esante.services.conformance.kits.dsp.resources import new_document, transaction
from esante.services.conformance.kits.fhir_requests import (
    capability_statement,
    codes_of,
    declared_resources,
    expect_r4_json,
    fhir_get,
    fhir_headers,
    fhir_search,
    find_test_patient,
    found_ids,
    id_of,
    path_of,
)
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
_OTHER_TYPE = "http://loinc.org|11502-2"
_SCOPE = "system/DocumentReference.cruds system/Patient.rs system/List.rs"


@CHECKS.of("DSP-01")
async def _capabilities(session: Session) -> None:
    expect_r4_json(await capability_statement(session))


@CHECKS.of("DSP-02")
async def _declared_resources(session: Session) -> None:
    found = declared_resources(await capability_statement(session))
    for type_, wanted in (("DocumentReference", {"read", "search-type"}), ("Patient", {"search-type"})):
        missing = wanted - codes_of(found.get(type_, {}), "interaction")
        expect(not missing, f"{type_} lacks the interactions {sorted(missing)}.", "Declare them in rest.resource.")


@CHECKS.of("DSP-03")
async def _smart_configuration(session: Session) -> None:
    reply = await session.send("GET", ".well-known/smart-configuration")
    expect_status(reply, 200, remedy="Serve the document below the FHIR base to everybody.")
    found = reply.json()
    for name in ("token_endpoint", "grant_types_supported", "capabilities"):
        expect(found.get(name), f"{name} is missing.", f"Add {name}.")
    session.values["token_endpoint"] = found["token_endpoint"]


@CHECKS.of("DSP-04")
async def _no_token(session: Session) -> None:
    reply = await session.send("GET", "DocumentReference?patient=1")
    expect_status(reply, 401, remedy="Refuse requests without a token by 401.")
    expect("www-authenticate" in reply.headers, "WWW-Authenticate is missing.", "Name the scheme Bearer in it.")


@CHECKS.of("DSP-05")
async def _unknown_token(session: Session) -> None:
    headers = {"Authorization": f"Bearer {uuid4().hex}"}
    reply = await session.send("GET", "DocumentReference?patient=1", headers=headers)
    expect_status(reply, 401, remedy="Refuse tokens that were not issued by 401.")


@CHECKS.of("DSP-06")
async def _backend_services(session: Session) -> None:
    scope = session.options.get("scope") or _SCOPE
    form = token_form(session, assertion(session, signing_key(session)), scope)
    expect_token(await request_token(session, form))
    session.values["used_form"] = form


async def _expect_invalid_client(session: Session, form: dict[str, str]) -> None:
    reply = await request_token(session, form)
    expect_oauth_error(reply, "invalid_client", "invalid_grant", remedy="Refuse the assertion.")


@CHECKS.of("DSP-07")
async def _forged_assertion(session: Session) -> None:
    forged = assertion(session, other_key(signing_key(session)))
    await _expect_invalid_client(session, session.value("used_form") | {"client_assertion": forged})


@CHECKS.of("DSP-08")
async def _replayed_assertion(session: Session) -> None:
    await _expect_invalid_client(session, session.value("used_form"))


@CHECKS.of("DSP-09")
async def _patient(session: Session) -> None:
    await find_test_patient(session)


@CHECKS.of("DSP-10")
async def _unknown_patient(session: Session) -> None:
    bundle = await fhir_search(session, f"Patient?identifier=urn:ietf:rfc:3986|urn:uuid:{uuid4()}")
    expect(not entries(bundle, "Patient"), "A person was found.", "Match identifiers exactly.")


@CHECKS.of("DSP-11")
async def _publish(session: Session) -> None:
    text = f"Essai de conformité {uuid4()}"
    reply = await session.send(
        "POST", "DocumentReference", json=new_document(session, text), headers=fhir_headers(session)
    )
    expect_status(reply, 201, remedy="Answer a deposit with 201.")
    location = reply.headers.get("location", "")
    expect("DocumentReference/" in location, "Location does not lead to the document.", "Send Location.")
    session.values |= {"document": path_of(session, location), "text": text}


@CHECKS.of("DSP-12")
async def _read(session: Session) -> None:
    reply = await fhir_get(session, session.value("document"))
    expect_status(reply, 200, remedy="Serve the document at its Location.")
    document = expect_resource(reply, "DocumentReference")
    expect(document.get("status") == "current", f"The status is {document.get('status')}.", "Keep it current.")
    subject = document.get("subject", {}).get("reference", "")
    expect(subject.endswith(f"Patient/{session.value('patient')}"), f"The subject is {subject}.", "Keep its subject.")


async def _attachment(session: Session) -> dict[str, Any]:
    document = expect_resource(await fhir_get(session, session.value("document")), "DocumentReference")
    return dict(document["content"][0]["attachment"])


@CHECKS.of("DSP-13")
async def _retrieve(session: Session) -> None:
    attachment = await _attachment(session)
    url = attachment.get("url", "")
    expect(url, "attachment.url is missing.", "Say where the bytes are.")
    reply = await fhir_get(session, path_of(session, url), Accept="text/plain")
    expect_status(reply, 200, remedy="Serve the bytes at attachment.url with the same token.")
    media = reply.headers.get("content-type", "").partition(";")[0]
    expect(media == "text/plain", f"The media type is {media}.", "Serve it with its own media type.")
    expect(reply.body == session.value("text").encode(), "The bytes differ.", "Return the bytes as they came.")


@CHECKS.of("DSP-14")
async def _hash(session: Session) -> None:
    attachment, content = await _attachment(session), session.value("text").encode()
    size = attachment.get("size")
    expect(size == len(content), f"size is {size}, not {len(content)}.", "Give the number of bytes.")
    given = attachment.get("hash")
    if given is not None:
        digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
        expect(given == digest, "hash is not the SHA-1 of the bytes.", "Give the SHA-1 in base64.")


@CHECKS.of("DSP-15")
async def _search_by_patient(session: Session) -> None:
    path = f"DocumentReference?patient={session.value('patient')}&status=current&_count=50&_sort=-date"
    found = await found_ids(session, path)
    expect(id_of(session.value("document")) in found, "The document is not among them.", "Find what was deposited.")


@CHECKS.of("DSP-16")
async def _search_by_post(session: Session) -> None:
    form = {"patient": session.value("patient"), "status": "current", "_count": "50", "_sort": "-date"}
    headers = fhir_headers(session) | {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await session.send("POST", "DocumentReference/_search", form=form, headers=headers)
    expect_status(reply, 200, remedy="Offer the search by POST, too.")
    found = [one["id"] for one in entries(expect_resource(reply, "Bundle"), "DocumentReference")]
    expect(id_of(session.value("document")) in found, "The document is not among them.", "Search as by GET.")


@CHECKS.of("DSP-17")
async def _criteria(session: Session) -> None:
    base = f"DocumentReference?patient={session.value('patient')}&_count=50&_sort=-date"
    own = id_of(session.value("document"))
    for criterion, wanted in (
        ("type=http://loinc.org|18842-5", True),
        (f"type={_OTHER_TYPE}", False),
        ("status=superseded", False),
    ):
        found = await found_ids(session, f"{base}&{criterion}")
        what = f"With {criterion} the document is {'not ' if wanted else ''}found."
        expect((own in found) == wanted, what, "Apply the search parameters type and status.")


@CHECKS.of("DSP-18")
async def _paging(session: Session) -> None:
    second = new_document(session, f"Essai de conformité {uuid4()}")
    await session.send("POST", "DocumentReference", json=second, headers=fhir_headers(session))
    page = await fhir_search(session, f"DocumentReference?patient={session.value('patient')}&_count=1")
    first = [one["id"] for one in entries(page, "DocumentReference")]
    expect(len(first) == 1, f"The page has {len(first)} documents.", "Obey _count.")
    following = [one["url"] for one in page.get("link", ()) if one.get("relation") == "next"]
    expect(following, "There is no link next.", "Link the next page.")
    next_page = await fhir_search(session, path_of(session, following[0]))
    found = [one["id"] for one in entries(next_page, "DocumentReference")]
    expect(found and not set(found) & set(first), "The next page has the same document.", "Go on where it ended.")


@CHECKS.of("DSP-19")
async def _provide(session: Session) -> None:
    bundle = transaction(session, new_document(session, f"Transaction {uuid4()}"))
    reply = await session.send("POST", "", json=bundle, headers=fhir_headers(session))
    expect_status(reply, 200, remedy="Answer a transaction with 200.")
    answer = expect_resource(reply, "Bundle")
    expect(
        answer.get("type") == "transaction-response", f"It is a {answer.get('type')}.", "Send transaction-response."
    )
    responses = [one.get("response", {}) for one in answer.get("entry", ())]
    expect(len(responses) == len(bundle["entry"]), "There are not as many entries as sent.", "Answer each entry.")
    for response in responses:
        created = str(response.get("status", "")).startswith("201") and response.get("location")
        expect(created, f"An entry has the response {response}.", "Answer 201 with location for each entry.")
    session.values["submission"] = id_of(responses[0]["location"].partition("/_history")[0])


@CHECKS.of("DSP-20")
async def _submission_set(session: Session) -> None:
    bundle = await fhir_search(session, f"List?patient={session.value('patient')}&code=submissionset&_count=50")
    found = [one["id"] for one in entries(bundle, "List")]
    known = session.value("submission") in found
    expect(known, "The submission set is not found.", "Find it by its patient and code.")


@CHECKS.of("DSP-21")
async def _all_or_nothing(session: Session) -> None:
    title = f"Tout ou rien {uuid4()}"
    good, bad = new_document(session, title), new_document(session, f"Faux {uuid4()}")
    good["content"][0]["attachment"]["title"] = title
    bad["subject"] = {"reference": f"Patient/{uuid4().hex}"}
    reply = await session.send("POST", "", json=transaction(session, good, bad), headers=fhir_headers(session))
    expect(400 <= reply.status < 500, f"The status is {reply.status}.", "Refuse the whole transaction by 4xx.")
    expect_outcome(reply)
    path = f"DocumentReference?patient={session.value('patient')}&_count=50&_sort=-date"
    found = entries(await fhir_search(session, path), "DocumentReference")
    titles = {one["content"][0]["attachment"].get("title") for one in found}
    expect(title not in titles, "The correct document of the refused transaction was kept.", "Store all or nothing.")


@CHECKS.of("DSP-22")
async def _replace(session: Session) -> None:
    address = session.value("document")
    new = new_document(session, f"Remplace {uuid4()}")
    new["relatesTo"] = [{"code": "replaces", "target": {"reference": f"DocumentReference/{id_of(address)}"}}]
    reply = await session.send("POST", "DocumentReference", json=new, headers=fhir_headers(session))
    expect_status(reply, 201, remedy="Take a document that replaces another one.")
    before = expect_resource(await fhir_get(session, address), "DocumentReference")
    expect(
        before.get("status") == "superseded", f"It is {before.get('status')}.", "Make what was replaced superseded."
    )


@CHECKS.of("DSP-23")
async def _broken_json(session: Session) -> None:
    reply = await session.send(
        "POST", "DocumentReference", content=b'{"resourceType": ', headers=fhir_headers(session)
    )
    expect_status(reply, 400, 422, remedy="Answer a body that cannot be parsed with 400.")
    expect_outcome(reply)


@CHECKS.of("DSP-24")
async def _no_subject(session: Session) -> None:
    session.values.setdefault("patient", "none")
    document = new_document(session, "x")
    del document["subject"]
    reply = await session.send("POST", "DocumentReference", json=document, headers=fhir_headers(session))
    expect_status(reply, 400, 422, remedy="Refuse a document without a patient.")
    expect_outcome(reply)


@CHECKS.of("DSP-25")
async def _unknown_document(session: Session) -> None:
    reply = await fhir_get(session, f"DocumentReference/{uuid4().hex}")
    expect_status(reply, 404, remedy="Answer 404.")
    expect_outcome(reply)


@CHECKS.of("DSP-26")
async def _media_type(session: Session) -> None:
    headers = fhir_headers(session) | {"Content-Type": "text/plain"}
    reply = await session.send("POST", "DocumentReference", content=b"text", headers=headers)
    expect_status(reply, 415, remedy="Refuse other media types by 415.")
    expect_outcome(reply)


@CHECKS.of("DSP-27")
async def _strict(session: Session) -> None:
    path = f"DocumentReference?patient={session.value('patient')}&unknown-parameter=1"
    reply = await fhir_get(session, path, Prefer="handling=strict")
    expect_status(reply, 400, remedy="Refuse unknown parameters where strict handling is asked for.")
    expect_outcome(reply)


@CHECKS.of("DSP-28")
async def _no_store(session: Session) -> None:
    reply = await fhir_get(session, f"DocumentReference?patient={session.value('patient')}&_count=1")
    control = reply.headers.get("cache-control", "").lower()
    expect("no-store" in control or "private" in control, f"Cache-Control is {control!r}.", "Send no-store.")
