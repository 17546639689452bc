"""What a system declares, how software signs in to it, and how it finds a patient."""

from uuid import uuid4

from esante.services.conformance.kits.checks import Checks, entries, expect, expect_resource, expect_status
from esante.services.conformance.kits.client_sign_in import (
    assertion,
    expect_oauth_error,
    expect_token,
    other_key,
    request_token,
    signing_key,
    token_form,
)
from esante.services.conformance.kits.fhir_requests import (
    FHIR_JSON,
    capability_statement,
    codes_of,
    declared_resources,
    expect_r4_json,
    fhir_search,
    fhir_send,
    find_test_patient,
)
from esante.services.conformance.kits.model import NotApplicable
from esante.services.conformance.kits.session import Session

CHECKS = Checks()
_ACTORS = "http://hl7.eu/fhir/health-data-api/CapabilityStatement/EEHRxF-"
_PROVIDERS = tuple(
    _ACTORS + name for name in ("DocumentAccessProvider", "DocumentPublisherAccessProvider", "ResourceAccessProvider")
)
_CONTENT_GUIDES = tuple(
    f"http://hl7.eu/fhir/{name}" for name in ("eps", "laboratory", "hdr", "imaging", "imaging-manifest", "mpd")
)
_SCOPE = " ".join(
    (
        "system/Patient.rs",
        "system/DocumentReference.crs",
        "system/Binary.r",
        "system/Bundle.r",
        "system/AllergyIntolerance.rs",
        "system/Condition.rs",
        "system/Observation.rs",
        "system/DiagnosticReport.rs",
        "system/MedicationRequest.rs",
        "system/MedicationDispense.rs",
        "system/MedicationStatement.rs",
        "system/Immunization.rs",
        "system/Encounter.rs",
    )
)


@CHECKS.of("EU-01")
async def _capabilities(session: Session) -> None:
    expect_r4_json(await capability_statement(session))


@CHECKS.of("EU-02")
async def _actors(session: Session) -> None:
    named = {str(one).partition("|")[0] for one in (await capability_statement(session)).get("instantiates", ())}
    what = "instantiates names no provider of the EU Health Data API."
    expect(named & set(_PROVIDERS), what, f"Name the actors that the system is, for example {_PROVIDERS[0]}.")


@CHECKS.of("EU-03")
async def _categories(session: Session) -> None:
    named = [
        str(one).partition("|")[0] for one in (await capability_statement(session)).get("implementationGuide", ())
    ]
    known = any(one.startswith(guide) for one in named for guide in _CONTENT_GUIDES)
    what = "implementationGuide names no guide of a priority category."
    expect(known, what, f"Name those of the categories that are served, for example {_CONTENT_GUIDES[0]}.")


@CHECKS.of("EU-04")
async def _declared(session: Session) -> None:
    found = declared_resources(await capability_statement(session))
    for type_, interactions, parameters in (
        ("DocumentReference", {"read", "search-type"}, {"_id", "patient", "type"}),
        ("Patient", {"read", "search-type"}, {"identifier"}),
    ):
        resource = found.get(type_, {})
        missing = interactions - codes_of(resource, "interaction")
        missing |= parameters - codes_of(resource, "searchParam", "name")
        expect(not missing, f"{type_} does not declare {sorted(missing)}.", "Declare them in rest.resource.")


@CHECKS.of("EU-05")
async def _smart_configuration(session: Session) -> None:
    reply = await session.send("GET", ".well-known/smart-configuration")
    expect_status(reply, 200, remedy="Serve the document below the FHIR base to everybody.")
    found = reply.json()
    expect(found.get("token_endpoint"), "token_endpoint is missing.", "Say where tokens are given.")
    session.values["token_endpoint"] = found["token_endpoint"]
    for name, wanted in (
        ("grant_types_supported", {"client_credentials"}),
        ("capabilities", {"client-confidential-asymmetric"}),
        ("token_endpoint_auth_methods_supported", {"private_key_jwt"}),
        ("token_endpoint_auth_signing_alg_values_supported", {"RS384", "ES384"}),
    ):
        what = f"{name} has none of {', '.join(sorted(wanted))}."
        expect(wanted & set(found.get(name, ())), what, f"Support SMART Backend Services, and say so in {name}.")


@CHECKS.of("EU-06")
async def _token(session: Session) -> None:
    scope = session.options.get("scope") or _SCOPE
    reply = await request_token(session, token_form(session, assertion(session, signing_key(session)), scope))
    session.values["token"] = expect_token(reply)["access_token"]


@CHECKS.of("EU-07")
async def _forged(session: Session) -> None:
    signed = assertion(session, other_key(signing_key(session)))
    reply = await request_token(session, token_form(session, signed, "system/Patient.rs"))
    expect_oauth_error(reply, "invalid_client", remedy="Verify the signature with the registered key.")


@CHECKS.of("EU-08")
async def _without_token(session: Session) -> None:
    for path in ("Patient?identifier=urn:oid:1.2.3|1", "DocumentReference?patient=1"):
        for headers in ({}, {"Authorization": f"Bearer {uuid4().hex}"}):
            reply = await session.send("GET", path, headers={"Accept": FHIR_JSON} | headers)
            expect_status(reply, 401, remedy="Refuse requests without a token that was issued.")


@CHECKS.of("EU-09")
async def _patient(session: Session) -> None:
    session.values["person"] = await find_test_patient(session)


@CHECKS.of("EU-10")
async def _unknown_patient(session: Session) -> None:
    bundle = await fhir_search(session, f"Patient?identifier=urn:ietf:rfc:3986|urn:uuid:{uuid4()}")
    expect(not entries(bundle, "Patient"), "A person was found.", "Match identifiers exactly.")


@CHECKS.of("EU-11")
async def _narrow_token(session: Session) -> None:
    form = token_form(session, assertion(session, signing_key(session)), "system/Patient.rs")
    narrow = expect_token(await request_token(session, form))["access_token"]
    path = f"DocumentReference?patient={session.value('patient')}"
    headers = {"Authorization": f"Bearer {narrow}", "Accept": FHIR_JSON}
    reply = await session.send("GET", path, headers=headers)
    expect_status(reply, 403, remedy="Compare the scopes of the token with the resource that is asked for.")


@CHECKS.of("EU-12")
async def _match(session: Session) -> None:
    declared = declared_resources(await capability_statement(session)).get("Patient", {})
    if "match" not in codes_of(declared, "operation", "name"):
        raise NotApplicable("The system does not declare Patient/$match, which is recommended, not required.")
    person = session.value("person")
    known = {name: person[name] for name in ("name", "birthDate", "gender", "identifier") if name in person}
    for asked, wanted in ((known, [person["id"]]), (known | {"birthDate": "1890-01-01", "identifier": []}, [])):
        given = {"resourceType": "Patient"} | {name: value for name, value in asked.items() if value}
        parameters = [{"name": "resource", "resource": given}, {"name": "onlyCertainMatches", "valueBoolean": True}]
        body = {"resourceType": "Parameters", "parameter": parameters}
        reply = await fhir_send(session, "POST", "Patient/$match", body)
        expect_status(reply, 200, remedy="Answer $match with a searchset, which is empty where nobody is certain.")
        found = [one["id"] for one in entries(expect_resource(reply, "Bundle"), "Patient")]
        what = f"With onlyCertainMatches {len(found)} persons were found, not {len(wanted)}."
        expect(found == wanted, what, "Return a person only where it is certain who is meant.")
