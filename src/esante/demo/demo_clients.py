"""The OAuth clients of the demo: the software of a hospital, that of practices, and two apps."""

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from joserfc.jwk import ECKey

from esante.contract import Platform
from esante.core import storage
from esante.demo.model import World
from esante.demo.population.signin_personas import SOFTWARE_HOSPITAL
from esante.identity.access import Access, SoftwareClient

HOSPITAL_CLIENT_ID, SAMPLE_APP_ID, CLINIC_APP_ID = "demo-hospital", "demo-app", "demo-clinic-app"
HOSPITAL_SCOPES = frozenset({"system/*.cruds"})
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
SAMPLE_APP_PATH = "/demo/app"
LOOPBACK_REDIRECT_URI = "http://127.0.0.1:9090/callback"
"""The redirect URI for those who try the API with an app of their own on this machine."""
_PRACTICE_SCOPES = frozenset({"openid", "fhirUser", "user/Claim.cruds", "user/PaymentReconciliation.rs"})
_PRACTICE_SOFTWARE = (
    ("Muster Honorar", "Praxis Muster", 6),
    ("Exempla Honoraires", "Exempla Software", 3),
    ("Beispill Rechnung", "Beispill IT", 1),
)
"""Invented software of practices: name, vendor, and how many of ten practices use it."""


def private_key_path(data: Path, client_id: str = HOSPITAL_CLIENT_ID) -> Path:
    """Return the path of the private key (a JWK) of a client of the demo; its owner alone can read the file."""
    return data / "demo" / "keys" / f"{client_id}.jwk.json"


async def register_hospital_software(platform: Platform, world: World) -> None:
    """Register the software of the hospital with its public key; the key is made when missing."""
    key = _load_key(private_key_path(platform.settings.data), HOSPITAL_CLIENT_ID)
    hospital = world.organizations[SOFTWARE_HOSPITAL]
    await platform[Access].clients.register(
        SoftwareClient(
            client_id=HOSPITAL_CLIENT_ID,
            name=f"{hospital.name}: SIH",
            organization_id=hospital.id,
            jwks={"keys": [key.as_dict(private=False)]},
            scopes=HOSPITAL_SCOPES,
        )
    )


def practice_software(world: World) -> Mapping[UUID, SoftwareClient]:
    """Return the software with which each doctor and dentist writes fee notes, by their key."""
    clients = [_practice_client(name, vendor) for name, vendor, share in _PRACTICE_SOFTWARE for _ in range(share)]
    writers = [one for one in world.practitioners if one.profession in ("doctor", "dentist")]
    return {one.id: clients[place % len(clients)] for place, one in enumerate(writers)}


async def register_practice_software(platform: Platform) -> None:
    """Register the software of practices."""
    for name, vendor, _ in _PRACTICE_SOFTWARE:
        await platform[Access].clients.register(_practice_client(name, vendor))


def _practice_client(name: str, vendor: str) -> SoftwareClient:
    return SoftwareClient(
        client_id=f"demo-{name.lower().replace(' ', '-')}",
        name=name,
        maker=vendor,
        scopes=_PRACTICE_SCOPES,
        redirect_uris=(LOOPBACK_REDIRECT_URI,),
    )


async def register_apps(platform: Platform) -> None:
    """Register the apps of the demo, again where the address of the platform has changed."""
    address = f"{platform.settings.base_url}{SAMPLE_APP_PATH}"
    key = _load_key(private_key_path(platform.settings.data, CLINIC_APP_ID), CLINIC_APP_ID)
    sample = SoftwareClient(
        client_id=SAMPLE_APP_ID,
        name="Beispiel-App",
        maker="Exemple Apps",
        scopes=APP_SCOPES,
        redirect_uris=(address, LOOPBACK_REDIRECT_URI),
        launch_url=address,
    )
    clinic = SoftwareClient(
        client_id=CLINIC_APP_ID,
        name="Cabinet Modèle",
        maker="Exemple Apps",
        jwks={"keys": [key.as_dict(private=False)]},
        scopes=APP_SCOPES,
        redirect_uris=(LOOPBACK_REDIRECT_URI,),
    )
    registered = await platform[Access].clients.find_all([SAMPLE_APP_ID, CLINIC_APP_ID])
    for app in (sample, clinic):
        if registered.get(app.client_id) != app:
            await platform[Access].clients.register(app)


def _load_key(path: Path, name: str) -> ECKey:
    def generate() -> bytes:
        key = ECKey.generate_key("P-384", parameters={"kid": name, "alg": "ES384", "use": "sig"}, private=True)
        return json.dumps(key.as_dict(private=True), indent=1).encode()

    return ECKey.import_key(json.loads(storage.read_or_create_key(path, generate)))
