"""Acknowledgements (HL7 V2, chapter 2.9): accepted (AA), wrong (AE), rejected (AR), with the place and the remedy."""

from collections.abc import Sequence
from datetime import UTC, datetime

from esante.services.exchange.mllp.hl7v2.er7 import Message, Separators
from esante.services.exchange.mllp.model import CODE_NAMES, Code, Fault

APPLICATION = "ESANTE"
_PLAIN = Separators()


def acknowledge(message: Message | None, code: str, fault: Fault | None, at: datetime, control_id: str) -> bytes:
    """Return the answer to a message (None: one that could not be read).

    `code`: AA, AE or AR. `at`, `control_id`: of the answer, the same for the same message.
    """
    separators = message.header.separators if message else _PLAIN
    escaped = separators.escaped
    header = message.header if message else None
    event = header.text(9, 2) if header else ""
    version = (header.text(12) if header else "") or "2.5"
    charset = {"utf-8": "UNICODE UTF-8", "ascii": "ASCII"}.get(separators.charset, "8859/1")
    marks = separators.component + separators.repetition + separators.escape + separators.subcomponent
    kind = separators.component.join(filter(None, ("ACK", escaped(event), "ACK")))
    receiver = [escaped(header.text(field)) if header else "" for field in (3, 4)]
    segments = [
        [
            "MSH", marks, APPLICATION, "", *receiver, at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000"), "", kind,
            control_id, (escaped(header.text(11)) if header else "") or "P", escaped(version), "", "", "", "", "",
            charset,
        ],
        ["MSA", code, escaped(header.text(10)) if header else ""],
    ]  # fmt: skip
    if fault:
        segments.append(_error(fault, separators))
    lines = [separators.field.join(one) for one in segments]
    return ("\r".join(lines) + "\r").encode(separators.charset, "replace")


def batch_of(answers: Sequence[bytes]) -> bytes:
    """Return the answers to a batch as one."""
    return b"BHS|^~\\&|ESANTE\r" + b"".join(answers) + f"BTS|{len(answers)}\r".encode()


def _error(fault: Fault, separators: Separators) -> list[str]:
    place = separators.component.join(separators.escaped(one) for one in fault.place.split("^"))
    code = Code(fault.code)
    coded = separators.component.join((code.value, CODE_NAMES[code], "HL70357"))
    words = separators.escaped(f"{fault.text} {fault.remedy}".strip())
    return ["ERR", "", place, coded, "E", "", "", "", words]
