"""SOAP 1.2 over HTTP, with addressing and attachments (MTOM), for the profiles of IHE."""

from esante.core.soap.endpoint import answer_message
from esante.core.soap.envelope import (
    MEDIA_TYPE,
    SOAP,
    WSA,
    WSSE,
    Malformed,
    Message,
    parse_message,
    read_fault,
    write_fault,
    write_message,
    write_request,
)
from esante.core.soap.mtom import (
    XOP,
    Attachment,
    Package,
    attachment_of,
    read_package,
    related_type,
    soap_response,
    write_package,
)

__all__ = [
    "MEDIA_TYPE",
    "SOAP",
    "WSA",
    "WSSE",
    "XOP",
    "Attachment",
    "Malformed",
    "Message",
    "Package",
    "answer_message",
    "attachment_of",
    "parse_message",
    "read_fault",
    "read_package",
    "related_type",
    "soap_response",
    "write_fault",
    "write_message",
    "write_package",
    "write_request",
]
