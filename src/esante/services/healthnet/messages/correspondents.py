"""With whom a site may exchange messages: the policy in force, applied to sites that are active."""

from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

from esante.core.storage import Database
from esante.core.web import N_, Problem
from esante.services.healthnet.controller.rollout import rollout_store
from esante.services.healthnet.messages.rules import may_write
from esante.services.healthnet.policy.model import Policy
from esante.services.healthnet.policy.parser import load_policy, parse_policy
from esante.services.healthnet.policy.rules import Decider
from esante.services.healthnet.policy.vocabulary import national_vocabulary
from esante.services.healthnet.sites.model import NetworkSite, SiteState
from esante.services.healthnet.sites.service import Sites, policy_site


class Correspondents:
    """Decides who writes to whom. `packaged`: the policy until the controller has one; `read`: of a text."""

    def __init__(
        self, db: Database, sites: Sites, packaged: Callable[[], Policy], read: Callable[[str], Policy]
    ) -> None:
        self._db, self._sites, self._packaged, self._read = db, sites, packaged, read
        self._known: tuple[int, Decider] | None = None

    async def require(self, sender: NetworkSite, recipient: str) -> None:
        """Raise Problem 404 unless a site may write to another; that there is none is refused alike."""
        found = await self._sites.by_key(recipient)
        decider = await self._decider()
        if (
            found is None
            or found.state is not SiteState.ACTIVE
            or not may_write(decider, policy_site(sender), policy_site(found))
        ):
            raise Problem(404, "not-found", N_("You cannot write to this site."), place="recipient")

    async def policy(self) -> Policy:
        """Return the policy in force."""
        return (await self._decider()).policy

    async def _decider(self) -> Decider:
        version = await rollout_store.version_in_force(self._db)
        if self._known is None or self._known[0] != version:
            text = await rollout_store.text_of(self._db, version) if version else ""
            self._known = version, Decider(self._read(text) if text else self._packaged())
        return self._known[1]


def packaged_policy(path: str) -> Policy:
    """Return the policy of a file, or without one the packaged sample. Raises: PolicyError."""
    with as_file(files("esante.services.healthnet") / "data" / "policy.yaml") as packaged:
        return load_policy(Path(path) if path else packaged, national_vocabulary())


def read_policy(text: str) -> Policy:
    """Return the policy of a text that the controller keeps. Raises: PolicyError."""
    return parse_policy("policy", text, national_vocabulary())
