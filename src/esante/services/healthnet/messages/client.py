"""The client of a site: it encrypts, signs, sends, fetches and acknowledges, over files in one folder of the site.

    certificate.pem   the certificate of the site and that of the intermediate authority
    key.pem           its key
    root.pem          the root of the network
    platform.key      the key that signs receipts, as `esante journal key` prints it
    message-keys/     own keys for which others encrypt, the old ones too
    outgoing/         what is sealed and was not accepted yet
    receipts/         receipts

What is sealed is on disk before it is sent, so that a message that is sent again is the same one; what was fetched is
on disk before it is acknowledged.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import OKPKey

from esante.core import clock
from esante.core.journal import NoteVerifier
from esante.core.storage import uuid7
from esante.services.healthnet.messages.envelope import (
    KeyStatement,
    NotReadable,
    SiteContent,
    SiteSigner,
    seal,
    unseal,
    verify_statement,
)
from esante.services.healthnet.messages.model import MessageState
from esante.services.healthnet.messages.receipt import NotProved, Receipt, parse_receipt

PATH = "/api/healthnet/messages"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Refused(RuntimeError):
    """The platform refused a request; the text is its reason."""


@dataclass(frozen=True)
class SiteFolder:
    """The files of a site."""

    path: Path

    @cached_property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates of the site, of the intermediate authority and of the root."""
        own = x509.load_pem_x509_certificates((self.path / "certificate.pem").read_bytes())
        return (*own[:2], x509.load_pem_x509_certificate((self.path / "root.pem").read_bytes()))

    @cached_property
    def signer(self) -> SiteSigner:
        """The key of the certificate. Raises: OSError, ValueError."""
        return SiteSigner(load_pem_private_key((self.path / "key.pem").read_bytes(), None), self.chain)

    @cached_property
    def site(self) -> str:
        """The key of the site, as its certificate has it."""
        return str(self.chain[0].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)

    @cached_property
    def verifier(self) -> NoteVerifier:
        """The key that signs receipts."""
        return NoteVerifier.parse((self.path / "platform.key").read_text().strip())

    def message_key(self, thumbprint: str) -> OKPKey | None:
        """Return an own key by its thumbprint, or None."""
        file = self.path / "message-keys" / f"{_NAME.sub('', thumbprint)}.json"
        return OKPKey.import_key(msgspec.json.decode(file.read_bytes())) if file.exists() else None

    def newest_key(self) -> OKPKey:
        """Return the own key that others are to use; the first time it is made."""
        folder = self.path / "message-keys"
        found = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime) if folder.exists() else []
        if found:
            return OKPKey.import_key(msgspec.json.decode(found[-1].read_bytes()))
        key = OKPKey.generate_key("X25519")
        write_synced(folder / f"{key.thumbprint()}.json", msgspec.json.encode(key.as_dict(private=True)), private=True)
        return key


class MessageClient:
    """Talks to the platform; `http` authenticates the site by its certificate."""

    def __init__(self, folder: SiteFolder, http: httpx.Client) -> None:
        self._folder, self._http = folder, http

    def announce(self) -> None:
        """Announce the own key unless it was announced with the present certificate. Raises: Refused."""
        signer, key = self._folder.signer, self._folder.newest_key()
        mark = self._folder.path / "message-keys" / "announced"
        present = f"{self._folder.chain[0].serial_number:x} {key.thumbprint()}"
        if mark.exists() and mark.read_text() == present:
            return
        public = {name: str(value) for name, value in key.as_dict(private=False).items()}
        statement = KeyStatement(site=self._folder.site, key=public, at=clock.now())
        self._done(self._http.put(f"{PATH}/key", content=signer.sign(msgspec.json.encode(statement))))
        write_synced(mark, present.encode())

    def send(self, recipient: str, name: str, media_type: str, content: bytes) -> Receipt:
        """Seal a content, send it, and return the receipt of its acceptance. Raises: Refused, NotReadable, NotProved.

        When the platform cannot be reached, `send_waiting` sends it later.
        """
        text = self._done(self._http.get(f"{PATH}/keys/{recipient}")).text
        statement = verify_statement(text, self._folder.chain[-1], clock.now())
        if statement.site != recipient:
            raise NotReadable("the platform gave the key of another site")
        message_id = uuid7()
        sealed = seal(
            SiteContent(
                message_id=message_id,
                sender=self._folder.site,
                recipient=recipient,
                name=name,
                media_type=media_type,
                content=content,
            ),
            self._folder.signer,
            statement,
        )
        file = self._folder.path / "outgoing" / f"{message_id}.{recipient}.jose"
        write_synced(file, sealed)
        return self._send(file)

    def send_waiting(self) -> list[Receipt]:
        """Send again what was not accepted yet. Raises: Refused, NotProved."""
        return [self._send(file) for file in sorted((self._folder.path / "outgoing").glob("*.jose"))]

    def _send(self, file: Path) -> Receipt:
        message_id, recipient, _ = file.name.split(".")
        sealed = file.read_bytes()
        answer = self._http.put(
            f"{PATH}/{message_id}",
            params={"recipient": recipient},
            content=sealed,
            headers={"Content-Type": "application/jose"},
        )
        receipt = self._keep_receipt(self._done(answer).text, UUID(message_id), MessageState.ACCEPTED)
        if (receipt.recipient, receipt.digest) != (recipient, hashlib.sha256(sealed).hexdigest()):
            raise NotProved("the receipt is about another content")
        file.unlink()
        return receipt

    def waiting(self) -> list[dict[str, Any]]:
        """Return the messages that wait for this site, the oldest first. Raises: Refused."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = {"cursor": cursor} if cursor else None
            page = self._done(self._http.get(f"{PATH}/incoming", params=params)).json()
            found += page["messages"]
            if (cursor := page["next"]) is None:
                return found

    def fetch(self, listed: dict[str, Any], into: Path) -> Path:
        """Fetch a message of `waiting`, write its content into a folder, acknowledge it; return the file.

        Raises: Refused, NotReadable, NotProved; nothing is acknowledged then.
        """
        message_id = UUID(listed["id"])
        accepted = parse_receipt(listed["receipt"], self._folder.verifier, self._folder.verifier.name)
        sealed = self._done(self._http.get(f"{PATH}/{message_id}/content")).content
        facts = (accepted.message_id, accepted.recipient, accepted.digest)
        if facts != (message_id, self._folder.site, hashlib.sha256(sealed).hexdigest()):
            raise NotProved("the receipt of acceptance is about another message")
        found = unseal(sealed, self._folder.message_key, self._folder.chain[-1], accepted.at)
        if (found.message_id, found.sender, found.recipient) != (message_id, accepted.sender, self._folder.site):
            raise NotReadable("the sender signed this content for another message or recipient")
        name = _NAME.sub("_", Path(found.name).name)[:100].lstrip(".") or "message"
        file = into / f"{message_id}-{name}"
        write_synced(file, found.content)
        self.acknowledge(message_id, MessageState.DELIVERED)
        return file

    def acknowledge(self, message_id: UUID, state: MessageState, reason: str = "") -> Receipt:
        """Say what became of a message, and return the receipt. Raises: Refused, NotProved."""
        said = {"state": state.value, **({"reason": reason} if reason else {})}
        answer = self._done(self._http.put(f"{PATH}/{message_id}/state", json=said))
        return self._keep_receipt(answer.text, message_id, state)

    def receipts(self, message_id: UUID) -> list[Path]:
        """Fetch the receipts of a message with their proofs, and keep them; return the files. Raises: Refused."""
        found = self._done(self._http.get(f"{PATH}/{message_id}/receipts")).json()["receipts"]
        files = []
        for file in found:
            receipt = parse_receipt(file["receipt"], self._folder.verifier, self._folder.verifier.name)
            files.append(self._folder.path / "receipts" / f"{message_id}-{receipt.state}.json")
            write_synced(files[-1], msgspec.json.format(msgspec.json.encode(file), indent=1))
        return files

    def _keep_receipt(self, note: str, message_id: UUID, state: MessageState) -> Receipt:
        receipt = parse_receipt(note, self._folder.verifier, self._folder.verifier.name)
        if (receipt.message_id, receipt.state) != (message_id, state):
            raise NotProved("the receipt is about another message")
        write_synced(self._folder.path / "receipts" / f"{message_id}-{state}.txt", note.encode())
        return receipt

    def _done(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        try:
            reason = str(answer.json()["error_description"])
        except (ValueError, KeyError, TypeError):
            reason = f"the platform answered {answer.status_code}"
        raise Refused(reason[:500])


def write_synced(file: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that it is whole, and on disk, when this returns."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f".{file.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o640)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
