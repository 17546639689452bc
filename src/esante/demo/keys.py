"""The software of a hospital, with a key of its own to sign in with (SMART Backend Services)."""

import json
import os
from pathlib import Path

from joserfc.jwk import ECKey

from esante.access import SoftwareClient
from esante.demo.model import World
from esante.demo.personas import SOFTWARE
from esante.demo.platform import Platform

CLIENT_ID = "demo-hospital"
SCOPES = frozenset({"system/*.cruds"})


def key_file(data: Path) -> Path:
    """Where the private key (a JWK) of the demo's software lies; readable by its owner only."""
    return data / "demo" / "keys" / f"{CLIENT_ID}.jwk.json"


async def register_software(platform: Platform, world: World) -> None:
    """Register the software of the hospital with the public half of its key, which is made when missing."""
    key = _key(key_file(platform.settings.data))
    hospital = world.organizations[SOFTWARE]
    await platform.access.clients.register(
        SoftwareClient(
            client_id=CLIENT_ID,
            name=f"{hospital.name}: SIH",
            organization_id=hospital.id,
            jwks={"keys": [key.as_dict(private=False)]},
            scopes=SCOPES,
        )
    )


def _key(path: Path) -> ECKey:
    if path.exists():
        return ECKey.import_key(json.loads(path.read_text(encoding="utf-8")))
    key = ECKey.generate_key("P-384", parameters={"kid": CLIENT_ID, "alg": "ES384", "use": "sig"}, private=True)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(key.as_dict(private=True), file, indent=1)
    return key
