"""The demo, loaded and served by real processes."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.support.processes import Server, run_esante
from tests.support.witness_process import WitnessProcess

Person = dict[str, Any]


@dataclass
class DemoServer:
    """The demo on a running server; `people` as `esante people` prints them."""

    server: Server
    people: list[Person]
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The address of the server."""
        return self.server.base

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.server.data

    def person(self, name: str) -> Person:
        """Return a person by name."""
        return next(person for person in self.people if person["name"] == name)

    def token(self, name: str) -> str:
        """Return a bearer token of a person, from `esante token`."""
        if name not in self._tokens:
            done = run_esante("token", "--data", self.data, "--as", name)
            self._tokens[name] = done.stdout.strip()
        return self._tokens[name]

    def http(self, name: str) -> httpx.AsyncClient:
        """Return a client of the API with the token of a person."""
        headers = {"Authorization": f"Bearer {self.token(name)}", "Content-Type": "application/fhir+json"}
        return httpx.AsyncClient(base_url=self.base, headers=headers, timeout=60)

    async def software_client(self) -> httpx.AsyncClient:
        """Return a client of the API with a token by SMART Backend Services, for the key of the hospital's software."""
        key = ECKey.import_key(json.loads((self.data / "demo/keys/demo-hospital.jwk.json").read_text()))
        async with httpx.AsyncClient(base_url=self.base, timeout=60) as http:
            configuration = (await http.get("/.well-known/smart-configuration")).json()
            claims = {
                "iss": "demo-hospital",
                "sub": "demo-hospital",
                "aud": configuration["token_endpoint"],
                "exp": int(time.time()) + 240,
                "jti": uuid4().hex,
            }
            form = {
                "grant_type": "client_credentials",
                "scope": "system/DocumentReference.cruds system/Bundle.rs system/Patient.rs",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": jwt.encode({"alg": "ES384", "kid": key.kid}, claims, key, algorithms=["ES384"]),
            }
            token_response = (await http.post(configuration["token_endpoint"], data=form)).raise_for_status().json()
        headers = {
            "Authorization": f"Bearer {token_response['access_token']}",
            "Content-Type": "application/fhir+json",
        }
        return httpx.AsyncClient(base_url=self.base, headers=headers, timeout=60)


def serve_demo(data: Path, persons: int) -> tuple[Server, WitnessProcess]:
    """Load the demo into a data folder and serve it; its journal has a witness."""
    run_esante("demo", "--load-only", "--history", "0", "--persons", str(persons), "--data", data)
    key = run_esante("journal", "key", "--data", data).stdout.strip()
    witness = WitnessProcess(data.with_name("witness"), key).start()
    return Server(data, ESANTE_DEMO="1", ESANTE_WITNESSES=f"{witness.key} {witness.url}").start(), witness


def list_demo_people(data: Path) -> list[Person]:
    """Return the people of the demo in a data folder (`esante people`)."""
    people: list[Person] = json.loads(run_esante("people", "--data", data).stdout)
    return people
