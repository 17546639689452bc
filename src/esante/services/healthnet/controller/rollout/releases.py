"""Files of the agent that agents install by themselves."""

import hashlib

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Journal
from esante.core.storage import Database, insert
from esante.services.healthnet.agent.update import DOMAIN
from esante.services.healthnet.bundles.format import canonical
from esante.services.healthnet.bundles.signer import BundleSigner
from esante.services.healthnet.controller.model import AgentReleased
from esante.services.healthnet.controller.rollout import bundle_store


class Releases:
    """Signs and keeps files of the agent."""

    def __init__(self, db: Database, journal: Journal, signer: BundleSigner) -> None:
        self._db, self._journal, self._signer = db, journal, signer

    async def release(self, file: bytes, actor: Actor = SYSTEM) -> int:
        """Release a file to all agents; return its number. One of before is released again under a new number."""
        digest = hashlib.sha256(file).hexdigest()
        async with self._db.transaction() as conn:
            number = await bundle_store.newest_release(conn) + 1
            manifest = canonical({"number": number, "sha256": digest})
            signature = canonical(self._signer.sign(manifest, DOMAIN))
            row = (bundle_store.RELEASE, (number, manifest.decode(), signature, file, clock.now()))
            await insert(conn, [row, *self._journal.rows(AgentReleased(number=number, sha256=digest), actor=actor)])
        return number
