"""A demonstration country, loaded and served by real processes."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.e2e.processes import Server, esante

Person = dict[str, Any]


@dataclass
class Demo:
    """The demo on a running server; `people` as `esante people` prints them."""

    server: Server
    people: list[Person]
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The server's address."""
        return self.server.base

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.server.data

    def person(self, name: str) -> Person:
        """Somebody by name."""
        return next(person for person in self.people if person["name"] == name)

    def token(self, name: str) -> str:
        """A bearer token of somebody, from `esante token`."""
        if name not in self._tokens:
            done = esante("token", "--data", self.data, "--as", name)
            self._tokens[name] = done.stdout.strip()
        return self._tokens[name]

    def http(self, name: str) -> httpx.AsyncClient:
        """A client of the API that carries somebody's token."""
        headers = {"Authorization": f"Bearer {self.token(name)}", "Content-Type": "application/fhir+json"}
        return httpx.AsyncClient(base_url=self.base, headers=headers, timeout=60)

    async def signed_in_software(self) -> httpx.AsyncClient:
        """A client of the API that signed in by SMART Backend Services, with the key of the hospital's software."""
        key = ECKey.import_key(json.loads((self.data / "demo/keys/demo-hospital.jwk.json").read_text()))
        async with httpx.AsyncClient(base_url=self.base, timeout=60) as http:
            found = (await http.get("/.well-known/smart-configuration")).json()
            claims = {
                "iss": "demo-hospital",
                "sub": "demo-hospital",
                "aud": found["token_endpoint"],
                "exp": int(time.time()) + 240,
                "jti": uuid4().hex,
            }
            form = {
                "grant_type": "client_credentials",
                "scope": "system/DocumentReference.cruds system/Bundle.rs system/Patient.rs",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": jwt.encode({"alg": "ES384", "kid": key.kid}, claims, key, algorithms=["ES384"]),
            }
            answer = (await http.post(found["token_endpoint"], data=form)).raise_for_status().json()
        headers = {"Authorization": f"Bearer {answer['access_token']}", "Content-Type": "application/fhir+json"}
        return httpx.AsyncClient(base_url=self.base, headers=headers, timeout=60)


def load_demo(data: Path, persons: int) -> Server:
    """Load a demo country into a data folder and serve it."""
    esante("demo", "--load-only", "--history", "0", "--persons", str(persons), "--data", data)
    return Server(data, ESANTE_DEMO="1").start()


def people_of(data: Path) -> list[Person]:
    """The people of the demo in a data folder."""
    found: list[Person] = json.loads(esante("people", "--data", data).stdout)
    return found
