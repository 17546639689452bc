"""Forwarding of instances from the spool to STOW-RS, with retries until the platform has answered on each."""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
from pydicom.filereader import read_file_meta_info

from esante.core.types import Json
from esante.services.imaging.gateway.spool import Spool

log = logging.getLogger(__name__)
BATCH_FILES, BATCH_BYTES = 200, 256 * 1024 * 1024
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between tries, the last one again and again."""
TIMEOUT = 300.0
IDLE = 5.0
_CHUNK = 1024 * 1024
_ANSWERED = (200, 202, 409)


class Forwarder:
    """Sends what waits in the spool; `token` returns the bearer token of the software."""

    def __init__(
        self, spool: Spool, url: str, token: Callable[[], str], transport: httpx.BaseTransport | None = None
    ) -> None:
        self._spool, self._url, self._token = spool, url, token
        self._client = httpx.Client(timeout=TIMEOUT, transport=transport)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Forward until `stop`."""
        failures = 0
        while not self._stopped.is_set():
            try:
                sent = self.forward()
                failures = 0
            except (httpx.HTTPError, OSError) as error:
                pause = PAUSES[min(failures, len(PAUSES) - 1)]
                log.warning("forwarding failed (%s); it is tried again in %g s", type(error).__name__, pause)
                failures += 1
                self._stopped.wait(pause)
                continue
            if not sent:
                self._spool.wait(IDLE)

    def stop(self) -> None:
        """Stop after the current request."""
        self._stopped.set()
        self._spool.wake()

    def forward(self) -> int:
        """Send one batch; return how many instances were answered on.

        Raises: httpx.HTTPError when the platform does not answer or answers on none of them.
        """
        paths = self._spool.batch(BATCH_FILES, BATCH_BYTES)
        if not paths:
            return 0
        boundary = secrets.token_hex(16)
        response = self._client.post(
            self._url,
            content=_body(paths, boundary),
            headers={
                "Authorization": f"Bearer {self._token()}",
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Accept": "application/dicom+json",
            },
        )
        if response.status_code not in _ANSWERED:
            raise httpx.HTTPStatusError(
                f"the platform answers {response.status_code}", request=response.request, response=response
            )
        self._finish(paths, response.json())
        return len(paths)

    def _finish(self, paths: Sequence[Path], answer: Json) -> None:
        """Remove what was taken in; set aside what was not, which the platform has in quarantine."""
        stored = answer.get("00081199", {}).get("Value") or []
        uids = {uid for one in stored for uid in one.get("00081155", {}).get("Value", [])}
        taken = [path for path in paths if _instance_uid(path) in uids]
        self._spool.remove(taken)
        for path in set(paths) - set(taken):
            self._spool.reject(path)
        for one in answer.get("00081198", {}).get("Value") or []:
            codes = [f"{code:04X}" for code in one.get("00081197", {}).get("Value", [])]
            log.warning("an instance was not taken in: %s", ", ".join(codes))


def _body(paths: Sequence[Path], boundary: str) -> Iterator[bytes]:
    for path in paths:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _instance_uid(path: Path) -> str:
    """Return the SOP Instance UID of a file that pynetdicom wrote: that of its File Meta Information."""
    return str(read_file_meta_info(path).get("MediaStorageSOPInstanceUID", ""))
