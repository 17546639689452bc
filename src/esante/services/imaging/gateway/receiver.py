"""The DIMSE side: C-ECHO and C-STORE as SCP (PS3.4, annex B), over TCP or TLS."""

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from esante.services.imaging.gateway.spool import Spool, SpoolFull
from esante.services.imaging.ingest.limits import MAX_INSTANCE

log = logging.getLogger(__name__)
SUCCESS, OUT_OF_RESOURCES, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
MAX_ASSOCIATIONS = 16
MAX_PDU = 256 * 1024
NETWORK_TIMEOUT = 60.0
"""Seconds without a message after which an association is aborted."""
SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    *(f"1.2.840.10008.1.2.4.{number}" for number in ("50", "51", "57", "70", "80", "81", "90", "91")),
    *(f"1.2.840.10008.1.2.4.{number}" for number in ("201", "202", "203", "102", "103", "104", "105")),
    "1.2.840.10008.1.2.5",
)
"""The transfer syntaxes that are accepted: those that the platform takes in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAddress:
    """Where the gateway listens, as which application entity, and for which others (none: for any)."""

    host: str
    port: int
    ae_title: str
    callers: Sequence[str] = ()


def tls_context(certificate: Path, key: Path, authorities: Path | None) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or later (PS3.15, B.12); with `authorities` devices need a certificate of them."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if authorities is not None:
        context.load_verify_locations(authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Receiver:
    """Takes instances of devices into the spool; each is on disk before it is acknowledged."""

    def __init__(self, spool: Spool, address: GatewayAddress, tls: ssl.SSLContext | None = None) -> None:
        self._spool, self._address, self._tls = spool, address, tls
        self._server: Any = None
        self._received: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def start(self) -> int:
        """Listen in threads; return the port. Raises: OSError when the address is in use."""
        _config.STORE_RECV_CHUNKED_DATASET = True  # data sets come into files and not into memory
        entity = AE(ae_title=self._address.ae_title)
        entity.maximum_associations, entity.maximum_pdu_size = MAX_ASSOCIATIONS, MAX_PDU
        entity.network_timeout = entity.dimse_timeout = NETWORK_TIMEOUT
        entity.require_called_aet = True
        if self._address.callers:
            entity.require_calling_aet = list(self._address.callers)
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), list(SYNTAXES))
        self._server = entity.start_server(
            (self._address.host, self._address.port),
            block=False,
            ssl_context=self._tls,
            evt_handlers=[(evt.EVT_C_ECHO, _echo), (evt.EVT_C_STORE, self._store), (evt.EVT_DATA_RECV, self._count)],
        )
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening and abort associations."""
        if self._server is not None:
            self._server.shutdown()

    def _store(self, event: Any) -> int:
        self._received[event.assoc] = 0
        try:
            self._spool.add(event.dataset_path)
        except SpoolFull:
            log.warning("an instance was refused: the queue or the disk is full")
            return OUT_OF_RESOURCES
        except Exception:
            log.exception("an instance could not be taken")
            return NOT_UNDERSTOOD
        return SUCCESS

    def _count(self, event: Any) -> None:
        """Abort an association whose instance is larger than the platform takes in."""
        size = self._received.get(event.assoc, 0) + len(event.data)
        self._received[event.assoc] = size
        if size > MAX_INSTANCE:
            log.warning("an association was aborted: its instance is too large")
            event.assoc.abort()


def _echo(event: Any) -> int:
    return SUCCESS
