"""The software of the demo: a hospital's, which signs in with a key, and two apps that people use."""

import json
from pathlib import Path

from joserfc.jwk import ECKey

from esante.contract import Platform
from esante.core import storage
from esante.demo.model import World
from esante.demo.population.signin_personas import SOFTWARE
from esante.identity.access import Access, SoftwareClient

CLIENT_ID, APP_ID, CLINIC_ID = "demo-hospital", "demo-app", "demo-clinic-app"
SCOPES = frozenset({"system/*.cruds"})
APP_SCOPES = frozenset(
    {
        "openid",
        "fhirUser",
        "launch",
        "launch/patient",
        "online_access",
        "offline_access",
        "patient/*.cruds",
        "user/*.rs",
    }
)
APP_PATH = "/demo/app"
OWN_MACHINE = "http://127.0.0.1:9090/callback"
"""Where whoever tries the API with an app of his own lets it listen."""


def key_file(data: Path, client_id: str = CLIENT_ID) -> Path:
    """Where the private key (a JWK) of software of the demo lies; readable by its owner only."""
    return data / "demo" / "keys" / f"{client_id}.jwk.json"


async def register_software(platform: Platform, world: World) -> None:
    """Register the software of the hospital with the public half of its key, which is made when missing."""
    key = _key(key_file(platform.settings.data), CLIENT_ID)
    hospital = world.organizations[SOFTWARE]
    await platform[Access].clients.register(
        SoftwareClient(
            client_id=CLIENT_ID,
            name=f"{hospital.name}: SIH",
            organization_id=hospital.id,
            jwks={"keys": [key.as_dict(private=False)]},
            scopes=SCOPES,
        )
    )


async def register_apps(platform: Platform) -> None:
    """Register the apps of the demo, or again where the platform has another address than last time."""
    address = f"{platform.settings.base_url}{APP_PATH}"
    key = _key(key_file(platform.settings.data, CLINIC_ID), CLINIC_ID)
    sample = SoftwareClient(
        client_id=APP_ID,
        name="Beispiel-App",
        maker="Exemple Apps",
        scopes=APP_SCOPES,
        redirect_uris=(address, OWN_MACHINE),
        launch_url=address,
    )
    clinic = SoftwareClient(
        client_id=CLINIC_ID,
        name="Cabinet Modèle",
        maker="Exemple Apps",
        jwks={"keys": [key.as_dict(private=False)]},
        scopes=APP_SCOPES,
        redirect_uris=(OWN_MACHINE,),
    )
    known = await platform[Access].clients.find_all([APP_ID, CLINIC_ID])
    for app in (sample, clinic):
        if known.get(app.client_id) != app:
            await platform[Access].clients.register(app)


def _key(path: Path, name: str) -> ECKey:
    def make() -> bytes:
        key = ECKey.generate_key("P-384", parameters={"kid": name, "alg": "ES384", "use": "sig"}, private=True)
        return json.dumps(key.as_dict(private=True), indent=1).encode()

    return ECKey.import_key(json.loads(storage.key_file(path, make)))
