"""Messages of HL7 V2 as hospital systems write them."""

import base64
import itertools

_CONTROL = itertools.count(1)


def pid(number: str, name: str = "Weber^Anna", born: str = "19800517", sex: str = "F", more: str = "") -> str:
    """Return a PID segment."""
    return f"PID|1||{number}^^^&1.3.182.4.4&ISO^NI{more}||{name}||{born}|{sex}"


def header(kind: str, control_id: str = "", version: str = "2.5", processing: str = "P", charset: str = "") -> str:
    """Return an MSH segment."""
    control_id = control_id or f"C{next(_CONTROL)}"
    tail = f"||||||{charset}" if charset else ""
    return f"MSH|^~\\&|KIS|CHN|ESANTE|LU|20260101120000+0100||{kind}|{control_id}|{processing}|{version}{tail}"


def message(*segments: str, encoding: str = "utf-8") -> bytes:
    """Return a message of segments."""
    return ("\r".join(segments) + "\r").encode(encoding)


def adt(event: str, number: str, *, class_: str = "I", visit: str = "", control_id: str = "", **said: str) -> bytes:
    """Return an ADT message."""
    return message(
        header(f"ADT^{event}^ADT_A01", control_id),
        f"EVN|{event}|20260101120000+0100",
        pid(number, **said),
        f"PV1|1|{class_}|WARD^1{visit}",
    )


HAEMOGLOBIN = "OBX|1|NM|718-7^Hemoglobin^LN^HB^Hb^99LAB||13.50|g/dL^^UCUM|12-16|N|||F"


def oru(
    number: str, *observations: str, order: str = "F1", control_id: str = "", status: str = "F", **said: str
) -> bytes:
    """Return an ORU^R01 message."""
    return message(
        header("ORU^R01^ORU_R01", control_id),
        pid(number, **said),
        f"OBR|1|P1|{order}^LAB^1.2.3.4^ISO|58410-2^CBC panel^LN|||20260101080000+0100|||||||||||||||20260101110000+0100|||{status}",
        *(observations or (HAEMOGLOBIN,)),
    )


def embedded(data: bytes, kind: str = "application^pdf^Base64") -> str:
    """Return an OBX with a document."""
    return f"OBX|1|ED|PDF^Report^L||^{kind}^{base64.b64encode(data).decode()}||||||F"


def answered(answer: bytes) -> tuple[str, str, str, str]:
    """Return code, control id, code of the error and its place of an answer."""
    segments = {line[:3]: line.split("|") for line in answer.decode().split("\r") if line}
    error = segments.get("ERR", [""] * 9)
    return segments["MSA"][1], segments["MSA"][2], error[3].split("^")[0], error[2]
