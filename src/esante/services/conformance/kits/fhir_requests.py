"""What checks over FHIR share: requests with the token of the run, searches, addresses, the test patient."""

from typing import Any

from esante.services.conformance.kits.checks import entries, expect, expect_resource, expect_status
from esante.services.conformance.kits.session import Reply, Session

FHIR_JSON = "application/fhir+json"


def fhir_headers(session: Session) -> dict[str, str]:
    """Return the headers of a request: the token that a check obtained, or that of the options, and FHIR JSON."""
    token = session.values.get("token") or session.option("token")
    return {"Authorization": f"Bearer {token}", "Content-Type": FHIR_JSON, "Accept": FHIR_JSON}


async def fhir_get(session: Session, path: str, **headers: str) -> Reply:
    """Return the answer to a GET with the token."""
    return await session.send("GET", path, headers=fhir_headers(session) | headers)


async def fhir_send(session: Session, method: str, path: str, resource: object, **headers: str) -> Reply:
    """Return the answer to a request with a resource as its body and the token."""
    return await session.send(method, path, json=resource, headers=fhir_headers(session) | headers)


async def fhir_search(session: Session, path: str) -> dict[str, Any]:
    """Return the searchset of a search that must succeed. Raises: `Fault`."""
    reply = await fhir_get(session, path)
    expect_status(reply, 200, remedy="Answer a search that is allowed with 200.")
    bundle = expect_resource(reply, "Bundle")
    expect(bundle.get("type") == "searchset", f"The Bundle is a {bundle.get('type')}.", "Answer with a searchset.")
    return bundle


async def found_ids(session: Session, path: str) -> list[str]:
    """Return the ids of the resources that a search for a type matches."""
    type_ = path.partition("?")[0]
    return [one["id"] for one in entries(await fhir_search(session, path), type_)]


async def find_test_patient(session: Session) -> dict[str, Any]:
    """Return the test patient by their identifier, and keep their id. Raises: `Fault` unless exactly one is found."""
    identifier = session.option("patient")
    system, _, value = identifier.partition("|")
    found = entries(await fhir_search(session, f"Patient?identifier={identifier}"), "Patient")
    expect(len(found) == 1, f"{len(found)} persons were found.", "Find the one person who has the identifier.")
    held = [(one.get("system"), one.get("value")) for one in found[0].get("identifier", ())]
    expect((system, value) in held, "The person found does not carry the identifier.", "Return its identifiers.")
    session.values["patient"] = found[0]["id"]
    return found[0]


def path_of(session: Session, location: str) -> str:
    """Return an address that a Location or a reference gives, without its version."""
    path = location.partition("/_history")[0]
    return session.root_address(path) if path.startswith("/") else path


def id_of(address: str) -> str:
    """Return the last part of an address."""
    return address.rpartition("/")[2]


def declared_resources(statement: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the resources of a CapabilityStatement by type."""
    return {one["type"]: one for rest in statement.get("rest", ()) for one in rest.get("resource", ())}


def codes_of(resource: dict[str, Any], element: str, name: str = "code") -> set[str]:
    """Return the codes of interactions, or the names of parameters or operations, that a type declares."""
    return {str(one.get(name)) for one in resource.get(element, ())}


async def capability_statement(session: Session) -> dict[str, Any]:
    """Return the CapabilityStatement, asked for without sign-in. Raises: `Fault`."""
    reply = await session.send("GET", "metadata", headers={"Accept": FHIR_JSON})
    expect_status(reply, 200, remedy="Serve /metadata to everybody.")
    return expect_resource(reply, "CapabilityStatement")


def expect_r4_json(statement: dict[str, Any]) -> None:
    """Raise `Fault` unless a CapabilityStatement is of FHIR 4.0.1 and offers JSON."""
    version = statement.get("fhirVersion")
    expect(version == "4.0.1", f"fhirVersion is {version!r}.", "Serve FHIR R4, 4.0.1.")
    formats = {str(one).lower() for one in statement.get("format", ())}
    expect(any("json" in one for one in formats), "format does not name JSON.", "Add application/fhir+json to format.")
