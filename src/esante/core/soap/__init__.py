"""SOAP 1.2 over HTTP, with addressing and attachments (MTOM), for the profiles of IHE."""

from esante.core.soap.endpoint import answer_message
from esante.core.soap.envelope import (
    MEDIA_TYPE,
    SOAP,
    WSA,
    Malformed,
    Message,
    parse_message,
    write_fault,
    write_message,
)
from esante.core.soap.mtom import (
    XOP,
    Attachment,
    Package,
    attachment_of,
    read_package,
    soap_response,
)

__all__ = [
    "MEDIA_TYPE",
    "SOAP",
    "WSA",
    "XOP",
    "Attachment",
    "Malformed",
    "Message",
    "Package",
    "answer_message",
    "attachment_of",
    "parse_message",
    "read_package",
    "soap_response",
    "write_fault",
    "write_message",
]
