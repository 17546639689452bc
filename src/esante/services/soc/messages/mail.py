"""Mail over SMTP (RFC 5321), with the library of Python: to one server, that of the agency."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 20
"""How long the server may take for each answer."""
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NotSent(Exception):
    """The server did not take a mail; `is_final`: it never will (a reply 5xx, RFC 5321, section 4.2.1)."""

    def __init__(self, *, is_final: bool) -> None:
        super().__init__("the mail was not taken")
        self.is_final = is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A server that takes mail: how it is spoken to, and whose name is the sender."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str

    async def send(self, to: str, subject: str, body: str) -> None:
        """Send a mail. Raises: NotSent."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, subject
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body)
        try:
            await asyncio.to_thread(self._send, message)
        except smtplib.SMTPRecipientsRefused as error:
            raise NotSent(is_final=all(code >= 500 for code, _ in error.recipients.values())) from error
        except smtplib.SMTPResponseException as error:
            raise NotSent(is_final=error.smtp_code >= 500 and not isinstance(error, _OF_SERVER)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(is_final=False) from error

    def _send(self, message: EmailMessage) -> None:
        with self._connect() as server:
            if self.scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        if self.scheme == "smtps":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=ssl.create_default_context())
        return smtplib.SMTP(self.host, self.port, timeout=SECONDS)


_OF_SERVER = (smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPAuthenticationError)
"""Refusals that are about the connection, and not about the mail."""


def mail_server(url: str, sender: str, password_file: str) -> MailServer | None:
    """Return the server of an address such as smtp+starttls://user@mail.example, None for "".

    Raises: ValueError for an address that is none, and without a sender.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" not in sender:
        raise ValueError(
            "ESANTE_SOC_MAIL_SERVER is smtp, smtp+starttls or smtps://[USER@]HOST[:PORT],"
            " and ESANTE_SOC_MAIL_SENDER a mail address"
        )
    password = Path(password_file).read_text("utf-8").strip() if password_file else ""
    return MailServer(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        user=parts.username or "",
        password=password,
        sender=sender,
    )
