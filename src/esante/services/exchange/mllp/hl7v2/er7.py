"""Messages in ER7, the notation with separators (HL7 V2, chapter 2): read within limits, values unescaped.

A grammar of five separators, read here because the libraries for it build an object for each part: hl7apy takes a
minute of one core for a field of 300,000 repetitions, and refuses versions that it does not list.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from esante.services.exchange.mllp.model import Code, Fault

MAX_SEGMENTS = 20_000
MAX_REPETITIONS = 100
"""Repetitions of a field that are read."""
_CHARSETS = {
    "": "utf-8", "ASCII": "ascii", "UNICODE UTF-8": "utf-8", "UNICODE": "utf-8", "UTF-8": "utf-8",
    "8859/1": "iso-8859-1", "8859/15": "iso-8859-15", "8859/2": "iso-8859-2",
}  # fmt: skip
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")


@dataclass(frozen=True, slots=True)
class Separators:
    """The separators of a message, and the encoding of its characters."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    charset: str = "utf-8"

    def escaped(self, text: str) -> str:
        """Return a text in which no character separates."""
        marks = {
            self.escape: "E", self.field: "F", self.component: "S", self.repetition: "R", self.subcomponent: "T",
        }  # fmt: skip
        found = "".join(f"{self.escape}{marks[char]}{self.escape}" if char in marks else char for char in text)
        return found.replace("\r\n", "\n").replace("\r", "\n").replace("\n", f"{self.escape}.br{self.escape}")

    def unescaped(self, text: str) -> str:
        """Return what a text stands for; an escape that is not known stays as it is."""
        if self.escape not in text:
            return text
        parts = text.split(self.escape)
        found = [parts[0]]
        place = 1
        while place < len(parts):
            if place + 1 < len(parts) and (meant := self._meaning(parts[place])) is not None:
                found += [meant, parts[place + 1]]
                place += 2
            else:
                found += [self.escape, parts[place]]
                place += 1
        return "".join(found)

    def _meaning(self, name: str) -> str | None:
        marks = {
            "E": self.escape, "F": self.field, "S": self.component, "R": self.repetition, "T": self.subcomponent,
            "H": "", "N": "", ".br": "\n", ".BR": "\n", ".sp": "\n", ".ce": "\n", ".nf": "", ".fi": "",
        }  # fmt: skip
        if name in marks:
            return marks[name]
        if name.startswith("X") and len(name) <= 202:
            try:
                return bytes.fromhex(name[1:]).decode(self.charset, "replace")
            except ValueError:
                return None
        return None


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: its name, its number among those of its name (from 1), its fields as they came; MSH-1 is field 1."""

    name: str
    number: int
    fields: Sequence[str]
    separators: Separators

    def raw(self, field: int) -> str:
        """Return a field as it came, "" where there is none."""
        return self.fields[field] if field < len(self.fields) else ""

    def repetitions(self, field: int) -> list[list[str]]:
        """Return the components of each repetition of a field, as they came. Raises: `Fault` for too many."""
        text = self.raw(field)
        if text.count(self.separators.repetition) >= MAX_REPETITIONS:
            raise Fault(Code.DATA_TYPE, self.place(field), "There are too many repetitions.", "Send fewer than 100.")
        return [one.split(self.separators.component) for one in text.split(self.separators.repetition) if one]

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return a value of the first repetition of a field, "" where there is none, or it is deleted ('""')."""
        found = self.raw(field).partition(self.separators.repetition)[0].split(self.separators.component, component)
        return self.value(found[component - 1] if len(found) >= component else "", subcomponent)

    def whole(self, field: int) -> str:
        """Return the text of a field whose separators of components are part of it (ST, TX, FT)."""
        return self.separators.unescaped(self.raw(field)).strip()

    def value(self, component: str, subcomponent: int = 1) -> str:
        """Return a value of a component that is as it came."""
        found = component.split(self.separators.subcomponent, subcomponent)
        text = found[subcomponent - 1] if len(found) >= subcomponent else ""
        return "" if text == '""' else self.separators.unescaped(text).strip()

    def place(self, field: int, component: int = 0) -> str:
        """Return where a value is (ERL): segment, its number, field, repetition, component."""
        return f"{self.name}^{self.number}^{field}" + (f"^1^{component}" if component else "")


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its segments, of which MSH is the first."""

    segments: Sequence[Segment]

    @property
    def header(self) -> Segment:
        """The segment MSH."""
        return self.segments[0]

    @property
    def kind(self) -> str:
        """Type and event, such as ADT^A01."""
        return f"{self.header.text(9)}^{self.header.text(9, 2)}"

    @property
    def sender(self) -> str:
        """Application and facility that sent it."""
        return f"{self.header.text(3)}|{self.header.text(4)}"

    @property
    def control_id(self) -> str:
        """The name that its sender gave it."""
        return self.header.text(10)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next((one for one in self.segments if one.name == name), None)

    def required(self, name: str) -> Segment:
        """Return the first segment of a name. Raises: `Fault`."""
        found = self.first(name)
        if found is None:
            raise Fault(Code.REQUIRED, name, f"The segment {name} is missing.", f"Send the segment {name}.")
        return found


def divide_batch(data: bytes) -> list[bytes]:
    """Return the messages of a batch (FHS, BHS), or the one message that it is."""
    lines = re.split(rb"\r\n|\r|\n", data)
    if not lines[0].startswith((b"FHS", b"BHS")):
        return [data]
    messages: list[list[bytes]] = []
    for line in lines:
        if line.startswith(b"MSH"):
            messages.append([line])
        elif messages and line and not line.startswith((b"FHS", b"BHS", b"BTS", b"FTS")):
            messages[-1].append(line)
    return [b"\r".join(one) + b"\r" for one in messages]


def read_message(data: bytes) -> Message:
    """Return a message. Raises: `Fault` that rejects it."""
    head = data.lstrip(b"\r\n \t")
    try:
        marks = head[3:8].decode("ascii")
    except UnicodeDecodeError:
        marks = ""
    if not head.startswith(b"MSH") or len(set(marks)) != 5 or any(one.isalnum() or ord(one) < 33 for one in marks):
        raise _rejected(Code.MESSAGE_TYPE, "MSH", "This is no message.", "Begin it with MSH and five separators.")
    charset = _charset(head, marks[0])
    try:
        text = head.decode(charset)
    except UnicodeDecodeError as error:
        remedy = "Name the character set in MSH-18, and use it."
        raise _rejected(Code.VERSION, "MSH^1^18", "There are bytes of another character set.", remedy) from error
    lines = [line for line in re.split(r"\r\n?" if "\r" in text else r"\n", text) if line.strip()]
    if len(lines) > MAX_SEGMENTS:
        raise _rejected(Code.DATA_TYPE, "MSH", f"There are more than {MAX_SEGMENTS:,} segments.", "Send them apart.")
    separators = Separators(marks[0], marks[1], marks[2], marks[3], marks[4], charset)
    return Message(list(_segments(lines, separators)))


def _segments(lines: Sequence[str], separators: Separators) -> Iterator[Segment]:
    counts: dict[str, int] = {}
    for line in lines:
        name = line[:3]
        if not _NAME.fullmatch(name) or line[3:4] not in ("", separators.field):
            raise _rejected(Code.DATA_TYPE, "MSH", "A line is no segment.", "Begin each with a name of three letters.")
        fields = line.split(separators.field)
        if name == "MSH":
            fields.insert(1, separators.field)
        counts[name] = counts.get(name, 0) + 1
        yield Segment(name, counts[name], fields, separators)


def _charset(head: bytes, field: str) -> str:
    """Return the encoding of a message: that of MSH-18; where it names none, UTF-8 if it is that, else ISO 8859-1."""
    line = re.split(rb"\r|\n", head[:10_000], maxsplit=1)[0]
    fields = line.decode("iso-8859-1").split(field)
    name = (fields[17] if len(fields) > 17 else "").split("~")[0].strip().upper()
    if name not in _CHARSETS:
        remedy = "Use UNICODE UTF-8 or 8859/1."
        raise _rejected(Code.VERSION, "MSH^1^18", "This character set is not supported.", remedy)
    if not name:
        try:
            head.decode("utf-8")
        except UnicodeDecodeError:
            return "iso-8859-1"
    return _CHARSETS[name]


def _rejected(code: Code, place: str, text: str, remedy: str) -> Fault:
    return Fault(code, place, text, remedy, is_rejected=True)
