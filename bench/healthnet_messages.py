"""Messages of the health network: processor time of acceptance, acknowledgement and proof, and what sealing costs a site.

Beside the promise stands what users of another message log reported: about 110 messages a second on 32 cores (X-Road
issue 1321). The processor time is that of this process; PostgreSQL is not part of it.
"""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from joserfc.jwk import OKPKey

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from esante.core import clock
from esante.core.storage import uuid7
from esante.identity.directory import Address
from esante.services.healthnet.certificates import authority
from esante.services.healthnet.certificates.algorithms import ALGORITHMS
from esante.services.healthnet.certificates.terms import terms_on
from esante.services.healthnet.messages.envelope import KeyStatement, SiteContent, SiteSigner, seal
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.sites import site_store
from esante.services.healthnet.sites.model import Contact, NetworkSite, SiteState
from esante.services.healthnet.sites.service import Gateway

MESSAGES, TOGETHER, BYTES = 2_000, 64, 20_000
GATEWAY = Gateway("192.0.2.1")


def a_site(key: str, kind: str) -> NetworkSite:
    """An active site."""
    now = clock.now()
    return NetworkSite(
        site_id=uuid7(), key=key, provider_code=key, name=key, label="1", kind=kind, profession="",
        address=Address("1, rue", "L-1234", "Esch"), service_class="small",
        contact=Contact(name="A", phone="+352 123456", email="a@b.example"), state=SiteState.ACTIVE,
        is_quarantined=False, requested_at=now, requested_by="A", requested_by_id=uuid7(),
    )  # fmt: skip


def a_signer(site: str) -> SiteSigner:
    """A site's key with a chain of certificates."""
    terms, now = terms_on(clock.now().date()), clock.now()
    root_key, key, own = (ALGORITHMS["ecdsa-p256"].make_key() for _ in range(3))
    root = authority.make_root(root_key, "Bench", now, timedelta(days=9))
    asked = authority.make_request(key, "HealthNet")
    intermediate = authority.sign_intermediate(root, root_key, asked, now, timedelta(days=9))
    request = authority.make_request(own, site)
    leaf = authority.sign_site(intermediate, key, request, site, "healthnet.internal", now, terms)
    return SiteSigner(own, (leaf, intermediate, root))


async def messages(data: Path, seconds: float, full: bool) -> Figures:
    """Measure messages of 20 kB from a laboratory to a practice."""
    laboratory, practice = a_site("L1", "laboratory"), a_site("A1", "practice")
    signer, key = a_signer("L1"), OKPKey.generate_key("X25519")
    public = {name: str(value) for name, value in key.as_dict(private=False).items()}
    statement = KeyStatement(site="A1", key=public, at=clock.now())
    ids = [uuid7() for _ in range(MESSAGES)]

    def sealed(message_id: object) -> bytes:
        content = SiteContent(
            message_id=message_id, sender="L1", recipient="A1", name="r.pdf", media_type="application/pdf",
            content=bytes(BYTES),
        )  # type: ignore[arg-type]  # fmt: skip
        return seal(content, signer, statement)

    began = time.process_time()
    contents = [sealed(one) for one in ids]
    sealing = (time.process_time() - began) / MESSAGES
    async with open_bench_platform(data) as platform:
        acts = platform[Messages]
        await platform.db.write([site_store.site_row(laboratory), site_store.site_row(practice)])
        wall, began = time.monotonic(), time.process_time()
        for start in range(0, MESSAGES, TOGETHER):
            some = zip(ids[start : start + TOGETHER], contents[start : start + TOGETHER], strict=True)
            await asyncio.gather(*(acts.send(GATEWAY, laboratory, one, "A1", sealed_) for one, sealed_ in some))
        accepting, accepted = (time.process_time() - began) / MESSAGES, MESSAGES / (time.monotonic() - wall)
        began = time.process_time()
        for start in range(0, MESSAGES, TOGETHER):
            some_ids = ids[start : start + TOGETHER]
            await asyncio.gather(*(acts.acknowledge(GATEWAY, practice, one, "read") for one in some_ids))
        reading = (time.process_time() - began) / MESSAGES
        began = time.process_time()
        await platform.journal.sealer.seal_all()
        sealing_tree = (time.process_time() - began) / (2 * MESSAGES)
        began = time.process_time()
        for one in ids[:200]:
            await acts.receipts(["L1"], one)
        proving = (time.process_time() - began) / 400
    return {
        f"acceptance of a message of {BYTES // 1000} kB with its receipt": (
            f"{accepting * 1e3:.2f} ms of the processor; {accepted:.0f}/s by the clock, with PostgreSQL on this machine"
        ),
        "acknowledgement with its receipt": f"{reading * 1e3:.2f} ms of the processor",
        "place of a receipt in the tree": f"{sealing_tree * 1e6:.0f} us of the processor",
        "receipt as a file with its proof": f"{proving * 1e3:.2f} ms of the processor",
        "signing and encrypting at the site": f"{sealing * 1e3:.2f} ms of the processor",
    }


PARTS = {"messages": messages}
