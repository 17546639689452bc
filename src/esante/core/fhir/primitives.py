"""The primitive datatypes of FHIR R4 (specification, section Datatypes) and what JSON may hold for each.

The patterns serve both passes over a resource: msgspec applies them while it decodes, `check_structure` to find
errors. They differ from the specification's own expressions in being anchored, in rejecting days that the calendar
does not have, and in allowing any character in `string` but U+0000 (R4's own expression excludes the no-break space
of French typography).
"""

import re
from typing import Literal, NamedTuple

JsonType = Literal["string", "number", "integer", "boolean"]

_YEAR = r"(?!0000)[0-9]{4}"
# The year is looked back at only where the day is the 29th of February.
_IN_LEAP_YEAR = r"(?<=[0-9]{2}(?:0[48]|[2468][048]|[13579][26])-02-29|(?:[02468][048]|[13579][26])00-02-29)"
_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]|29{_IN_LEAP_YEAR}))"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE = rf"{_YEAR}(?:-(?:{_DAY}|(?:0[1-9]|1[0-2])))?"


class Primitive(NamedTuple):
    """The values of a primitive type: JSON type, anchored pattern, and bounds of a number, or of the length of a text.

    `expected` describes them in a message.
    """

    json: JsonType
    expected: str
    pattern: str | None = None
    low: int | None = None
    high: int | None = None


def _text(expected: str, pattern: str) -> Primitive:
    return Primitive("string", expected, rf"(?a)\A(?:{pattern})\Z")


#: The beginning of an absolute address: the name of a scheme (RFC 3986, section 3.1).
ABSOLUTE = r"[A-Za-z][A-Za-z0-9+.\-]*+:"

_LARGEST = 2**31 - 1
_TEXT = Primitive("string", "a text that is not empty, at most 1,048,576 characters", None, 1, 1_048_576)
_URI = _text("an address without white space", r"\S+")

PRIMITIVES: dict[str, Primitive] = {
    "string": _TEXT,
    "markdown": _TEXT,
    # Narrative has no limit of its own in R4; the size of a request is limited by the endpoints.
    "xhtml": Primitive("string", "XHTML in a div element", None, 1),
    "code": _text("a code: no white space but single spaces inside", r"\S+(?: \S+)*"),
    "id": _text("1 to 64 of A-Z a-z 0-9 - .", r"[A-Za-z0-9\-.]{1,64}"),
    "uri": _URI,
    "url": _URI,
    "canonical": _URI,
    "oid": _text("an OID such as urn:oid:1.2.3", r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "uuid": _text(
        "a UUID in lower case such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    "date": _text("a date that exists: YYYY, YYYY-MM or YYYY-MM-DD", _DATE),
    "dateTime": _text(
        "a date that exists (YYYY, YYYY-MM, YYYY-MM-DD) or a time with zone (YYYY-MM-DDThh:mm:ss+zz:zz)",
        rf"{_YEAR}(?:-(?:{_DAY}(?:T{_TIME}{_ZONE})?|(?:0[1-9]|1[0-2])))?",
    ),
    "instant": _text(
        "an instant: YYYY-MM-DDThh:mm:ss with a zone (Z or +zz:zz)",
        rf"{_YEAR}-{_DAY}T{_TIME}{_ZONE}",
    ),
    "time": _text("a time of day hh:mm:ss", _TIME),
    "base64Binary": Primitive("string", "base64 (RFC 4648, section 4)", None, 1),
    "boolean": Primitive("boolean", "true or false, without quotes"),
    "decimal": Primitive("number", "a number, without quotes and of a size between 1e-308 and 1e308"),
    "integer": Primitive(
        "integer", "a whole number from -2,147,483,648 to 2,147,483,647", None, -_LARGEST - 1, _LARGEST
    ),
    "unsignedInt": Primitive("integer", "a whole number from 0 to 2,147,483,647", None, 0, _LARGEST),
    "positiveInt": Primitive("integer", "a whole number from 1 to 2,147,483,647", None, 1, _LARGEST),
}

COMPILED_PATTERNS = {name: re.compile(p.pattern) for name, p in PRIMITIVES.items() if p.pattern is not None}
