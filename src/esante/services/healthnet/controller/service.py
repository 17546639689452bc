"""The controller: its parts over one database and one root key, and its work beside the requests."""

from collections.abc import Callable
from pathlib import Path
from secrets import token_bytes

from starlette.routing import BaseRoute

from esante.core.journal import Journal
from esante.core.storage import Database, read_or_create_key
from esante.services.healthnet.bundles.secrets import ROOT_BYTES, Secrets
from esante.services.healthnet.bundles.signer import BundleSigner
from esante.services.healthnet.controller.api import AgentApi
from esante.services.healthnet.controller.connections import Connections
from esante.services.healthnet.controller.enrolment import Certifier, Enrolments
from esante.services.healthnet.controller.heartbeats import Heartbeats
from esante.services.healthnet.controller.registry import Registry
from esante.services.healthnet.controller.rollout.compilation import Compilation
from esante.services.healthnet.controller.rollout.releases import Releases
from esante.services.healthnet.controller.rollout.rollouts import Rollouts
from esante.services.healthnet.controller.rollout.signing_keys import SigningKeys
from esante.services.healthnet.policy.model import Policy
from esante.services.healthnet.policy.parser import parse_policy
from esante.services.healthnet.policy.vocabulary import national_vocabulary


class Controller:
    """The controller of the network over its parts; `tick` and `refresh` are its work beside the requests."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        root_key: bytes,
        *,
        heartbeat_seconds: int = 30,
        check_service: str = "",
        certify: Certifier | None = None,
        read_policy: Callable[[str], Policy] | None = None,
    ) -> None:
        read = read_policy or _read_policy
        secrets = Secrets(root_key)
        self.signer = BundleSigner(secrets.signing_key)
        """That of the first generation, by whose name backups say to which root key they belong."""
        release_signer = BundleSigner(secrets.release_key)
        self.registry = Registry(db)
        self.connections = Connections(db, journal, secrets)
        self.rollouts = Rollouts(db, journal, read)
        self.releases = Releases(db, journal, release_signer)
        self.signing_keys = SigningKeys(db, journal, secrets)
        self.compilation = Compilation(db, journal, secrets, self.signing_keys, read, check_service)
        self.heartbeats = Heartbeats(db)
        enrolments = Enrolments(db, journal, secrets, self.signing_keys, release_signer.trusted, certify)
        self.api = AgentApi(db, self.registry, self.connections, enrolments, self.heartbeats, heartbeat_seconds)

    @classmethod
    def open(
        cls,
        db: Database,
        journal: Journal,
        key_file: Path,
        heartbeat_seconds: int = 30,
        certify: Certifier | None = None,
    ) -> "Controller":
        """Open the controller with the root key of a file, which is made when it is missing."""
        return cls(
            db,
            journal,
            read_or_create_key(key_file, lambda: token_bytes(ROOT_BYTES)),
            heartbeat_seconds=heartbeat_seconds,
            certify=certify,
        )

    def routes(self) -> list[BaseRoute]:
        """Return the routes of agents."""
        return [*self.api.routes()]

    async def tick(self) -> None:
        """Make the bundles that are pending."""
        await self.compilation.advance()

    async def refresh(self) -> None:
        """Keep heartbeats, and read which sites changed."""
        await self.heartbeats.flush()
        await self.registry.refresh()


def _read_policy(text: str) -> Policy:
    return parse_policy("policy", text, national_vocabulary())
