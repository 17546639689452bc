"""Requests resource up at random for every FHIR interface: of what /metadata lists, with values that are right, nearly right or
hostile. The same seed makes the same requests, as long as the answers, of which ids are taken, are the same."""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from esante.core.types import Json
from esante.services.record import CLINICAL
from tests.support.clinical_resources import MINIMAL_RESOURCES

FHIR, PATCH, FORM = "application/fhir+json", "application/json-patch+json", "application/x-www-form-urlencoded"
#: Hostile texts for any place.
HOSTILE = (
    "", " ", "%", "%00", "\x00", "\n", "é", "\U0001f4a9", "\ufffe", "\u202e", "'", '"', "';DROP TABLE journal;--", "$1",
    "{}", "[]", "null", "NaN", "-1", "0", "1e999", "-0", "9" * 30, "0x10", "../../etc/passwd", "<script>", "${7*7}",
    "a" * 5_000, "|", "||", "\\", "\\,", ",", ",,,", "$", "$$", "a$b$c", "urn:x|", "|a", "*", "?", "&", "#", "+",
    "Patient/", "Patient/../x", "Nothing/1", "http://", "http://a/b?c=d", "urn:uuid:", ":", "eq", "ge", "ap", "sa2020",
)  # fmt: skip
VALID_VALUES = {
    "date": ("2020", "ge2020-01", "lt2021-02-03T04:05:06Z", "ap2024-02-29", "ne0001", "eb9999-12-31", "sa1900", "2020-13"),
    "number": ("1", "gt1.50", "1e2", "le-3", "ap0", "1e400", "1e-400"),
    "quantity": ("5", "lt5|http://unitsofmeasure.org|mg", "ap1e2||cm", "5|x|y|z", "1e300|http://unitsofmeasure.org|kg"),
    "token": ("a", "a|b", "|b", "a|", "http://loinc.org|8302-2", "final,active", "true"),
    "string": ("a", "Ä,b", "weight", "a\\,b"),
    "uri": ("urn:x", "http://loinc.org"),
    "reference": ("Observation/1", "Patient/1", "urn:uuid:x", "http://elsewhere.example/Patient/1", "Observation/1/_history/2"),
    "composite": ("a$b", "a|b$gt5", "8302-2$2020", "a$", "$"),
    "special": ("a", "a eq b"),
}  # fmt: skip
MODIFIERS = (
    "missing", "exact", "contains", "text", "not", "in", "not-in", "of-type", "identifier", "above", "below", "Patient",
    "Nothing", "",
)  # fmt: skip
COMMON_PARAMETERS = (
    "_count", "_sort", "_include", "_revinclude", "_elements", "_summary", "_total", "_cursor", "_filter", "_contained",
    "_format", "_pretty", "_since", "_at", "_type", "_query", "_list", "start", "end", "patient", "subject", "_has",
)  # fmt: skip
OPERATIONS = (
    "$everything", "$document", "$docref", "$validate", "$export", "$meta-add", "$meta-delete", "$status", "$events",
    "$match", "$no-such", "$",
)  # fmt: skip
HEADERS = {
    "Prefer": ("handling=strict", "handling=lenient", "return=minimal", "return=OperationOutcome", "respond-async", "=;,", "x"),
    "If-Match": ('W/"1"', '"1"', "*", "W/", "x" * 3_000, 'W/"1", W/"2"'),
    "If-None-Match": ("*", 'W/"1"', "W/1"),
    "If-Modified-Since": ("Mon, 23 Nov 2026 09:00:00 GMT", "x", "Mon, 99 Nov 2026 99:00:00 +999999999999", "1", "0"),
    "If-None-Exist": ("_tag=urn:x|1", "identifier=a|b", "", "?", "code=1&code=2", "_id=1", "_has:a:b:c=1", "patient=1"),
    "Accept": ("application/fhir+json", "application/json;q=0.5, x", "application/fhir+xml", "*/*", "application/pdf", "x", "a/b;q=x"),
    "Range": ("bytes=0-1", "bytes=-"),
    "Accept-Language": ("fr", "xx", "*;q=9"),
    "Accept-Encoding": ("gzip", "identity;q=0"),
    "Content-Type": (FHIR, PATCH, FORM, "application/fhir+xml", "text/plain; charset=utf-7", "x", "multipart/form-data"),
    "Authorization": ("Bearer x", "Bearer ", "Basic YTpi", "x"),
}  # fmt: skip


@dataclass(frozen=True)
class FuzzRequest:
    """A request to the FHIR API, and its sender."""

    method: str
    path: str
    pairs: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes | None = None
    by: str = ""

    def __str__(self) -> str:
        description = f"{self.by}: {self.method} {self.path} {list(self.pairs)!r:.400} {dict(self.headers)!r:.300}"
        return f"{description} {self.body[:600]!r}" if self.body else description


@dataclass
class Fuzzer:
    """Generates requests.

    `statement` is rest[0] of /metadata, `persons` are the subjects, `senders` the names of accounts, `ids` the known ids
    of each type, visible to the sender or not.
    """

    seed: int
    statement: Json
    persons: Sequence[str]
    senders: Sequence[str]
    ids: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.types = {one["type"]: one for one in self.statement["resource"]}
        self._shapes: list[tuple[int, Callable[[], FuzzRequest]]] = [
            (30, self._search),
            (20, self._instance),
            (18, self._create),
            (10, self._modify),
            (8, self._operation),
            (8, self._bundle),
            (4, self._arbitrary),
        ]

    def next_request(self) -> FuzzRequest:
        """Return the next request."""
        weights = [weight for weight, _ in self._shapes]
        return self.random.choices([shape for _, shape in self._shapes], weights)[0]()

    def learn(self, answer: Any) -> None:
        """Remember the ids in a response for later requests."""
        if not isinstance(answer, dict):
            return
        for entry in answer.get("entry", ())[:20]:
            self.learn(entry.get("resource"))
        if isinstance(answer.get("id"), str) and answer.get("resourceType"):
            known = self.ids.setdefault(answer["resourceType"], [])
            known.append(answer["id"])
            del known[:-40]

    # The parts of a request

    def _pick(self, among: Sequence[Any]) -> Any:
        return self.random.choice(among)

    def _draw(self, share: float) -> bool:
        return self.random.random() < share

    def _type(self) -> str:
        if self._draw(0.04):
            return str(self._pick(("Basic", "Nothing", "Resource", "observation", *HOSTILE)))
        return str(self._pick(list(self.types)))

    def _id(self, type_: str) -> str:
        known = self.ids.get(type_)
        if known and self._draw(0.7):
            return str(self._pick(known))
        if self._draw(0.5):
            return str(self._pick([one for ids in self.ids.values() for one in ids] + list(self.persons)))
        return str(self._pick(("0" * 64, "1", "f" * 64, "A.b-c", *HOSTILE)))

    def _value(self, kind: str) -> str:
        if self._draw(0.25):
            return str(self._pick(HOSTILE))
        if kind == "reference" and self._draw(0.6):
            type_ = self._pick(list(self.types))
            return f"{type_}/{self._id(type_)}"
        found = self._pick(VALID_VALUES.get(kind, VALID_VALUES["token"]))
        return f"{found},{self._value(kind)}" if self._draw(0.1) else str(found)

    def _parameter(self, type_: str) -> tuple[str, str]:
        """Return a search parameter of a type, and a value."""
        description = self._pick(self.types.get(type_, {}).get("searchParam") or [{"name": "code", "type": "token"}])
        if self._draw(0.2):
            return self._common(type_)
        name = description["name"]
        if self._draw(0.15):
            name += f":{self._pick(MODIFIERS)}"
        if description["type"] == "reference" and self._draw(0.25):
            name += f".{self._pick(('code', 'identifier', 'name', 'subject.code', '_id', 'x', '_has:Observation:subject:code'))}"
        if self._draw(0.05):
            other = self._pick(list(self.types))
            name = f"_has:{other}:{self._parameter(other)[0]}:{self._parameter(other)[0]}"
        return name, self._value(description["type"])

    def _common(self, type_: str) -> tuple[str, str]:
        name = str(self._pick(COMMON_PARAMETERS))
        description = self.types.get(type_, {})
        values: dict[str, Sequence[str]] = {
            "_count": ("0", "1", "2", "200", "1000", "-1", "9" * 12),
            "_sort": tuple(one["name"] for one in description.get("searchParam", ())) or ("x",),
            "_include": description.get("searchInclude") or ("*",),
            "_revinclude": description.get("searchRevInclude") or ("*",),
            "_elements": ("id", "code,status", "x.y", "meta"),
            "_summary": ("true", "text", "data", "count", "false"),
            "_total": ("none", "accurate", "estimate"),
            "_type": tuple(self.types),
            "_format": ("json", "application/json", "application/fhir+json", "text/json", "xml"),
            "_pretty": ("true", "false"),
            "patient": tuple(self.persons),
            "subject": tuple(f"Patient/{one}" for one in self.persons),
            "_since": VALID_VALUES["date"],
            "start": VALID_VALUES["date"],
            "end": VALID_VALUES["date"],
        }
        value = self._pick(values.get(name, HOSTILE)) if self._draw(0.8) else self._pick(HOSTILE)
        return name, ("-" if name == "_sort" and self._draw(0.4) else "") + str(value)

    def _pairs(self, type_: str, most: int = 4) -> list[tuple[str, str]]:
        named = [("patient", self._pick(self.persons))] if self._draw(0.7) else []
        return named + [self._parameter(type_) for _ in range(self.random.randint(0, most))]

    def _headers(self, content: str = "") -> dict[str, str]:
        found = {"Content-Type": content} if content else {}
        while self._draw(0.15):
            name = self._pick(list(HEADERS))
            found[name] = self._pick(HEADERS[name])
        return found

    def _request(
        self, method: str, path: str, pairs: Sequence[tuple[str, str]] = (), content: str = "", body: Any = None
    ) -> FuzzRequest:
        return FuzzRequest(method, path, pairs, self._headers(content), body, str(self._pick(self.senders)))

    # The kinds of requests

    def _search(self) -> FuzzRequest:
        type_ = self._type()
        path = type_ if self._draw(0.85) else f"Patient/{self._pick(self.persons)}/{type_}"
        if self._draw(0.2):
            form = "&".join(f"{name}={value}" for name, value in self._pairs(type_))
            return self._request("POST", f"{path}/_search", (), FORM, form.encode("utf-8", "replace"))
        return self._request("GET", path, self._pairs(type_))

    def _instance(self) -> FuzzRequest:
        type_ = self._type()
        id_ = self._id(type_)
        version = self._pick(("1", "2", "0", "x", id_[:32], "9" * 25))
        path = self._pick(
            (f"{type_}/{id_}", f"{type_}/{id_}", f"{type_}/{id_}/_history", f"{type_}/{id_}/_history/{version}",
             f"{type_}/_history", f"Patient/{self._pick(self.persons)}/_history")
        )  # fmt: skip
        pairs = [self._common(type_)] if self._draw(0.3) else []
        return self._request(self._pick(("GET", "GET", "GET", "HEAD")), path, pairs)

    def _create(self) -> FuzzRequest:
        type_ = str(self._pick(list(MINIMAL_RESOURCES)))
        if self._draw(0.15):
            return self._request("POST", "DocumentReference", (), FHIR, self._faulty_json(self._document()))
        return self._request("POST", type_, (), FHIR, self._faulty_json(self._resource(type_)))

    def _modify(self) -> FuzzRequest:
        type_ = str(self._pick([one for one in MINIMAL_RESOURCES if self.ids.get(one)] or list(MINIMAL_RESOURCES)))
        id_ = self._id(type_)
        match self.random.randrange(5):
            case 0:
                return self._request("DELETE", f"{type_}/{id_}")
            case 1:
                return self._request("PATCH", f"{type_}/{id_}", (), PATCH, self._faulty_json(self._patch_operations()))
            case 2:
                return self._request("DELETE", type_, self._pairs(type_, 2))
            case 3:
                return self._request(
                    "PUT", type_, self._pairs(type_, 2), FHIR, self._faulty_json(self._resource(type_))
                )
        return self._request("PUT", f"{type_}/{id_}", (), FHIR, self._faulty_json(self._resource(type_) | {"id": id_}))

    def _operation(self) -> FuzzRequest:
        type_, name = self._type(), self._pick(OPERATIONS)
        path = self._pick(
            (
                name,
                f"{type_}/{name}",
                f"{type_}/{self._id(type_)}/{name}",
                f"Patient/{self._pick(self.persons)}/$everything",
            )
        )
        if self._draw(0.5):
            return self._request("GET", path, [self._common(type_) for _ in range(self.random.randint(0, 2))])
        named = ("resource", "mode", "profile", "_type", "patient", "meta", "eventsSinceNumber", "x", "")
        values = [
            {
                "name": self._pick(named),
                self._pick(("valueString", "valueMeta", "valueId", "resource", "valueX")): self._junk(),
            }
            for _ in range(self.random.randint(0, 3))
        ]
        return self._request(
            "POST", path, (), FHIR, self._faulty_json({"resourceType": "Parameters", "parameter": values})
        )

    def _bundle(self) -> FuzzRequest:
        entries = []
        kind = self._pick(("batch", "batch", "transaction", "transaction", "document", "x"))
        others = () if kind == "transaction" else (self._search, self._instance, self._operation)
        for _ in range(self.random.randint(0, 6)):
            fuzz_request = self._pick((self._create, self._create, self._modify, *others))()
            query = "&".join(f"{name}={value}" for name, value in fuzz_request.pairs)
            request = {"method": fuzz_request.method, "url": fuzz_request.path + (f"?{query}" if query else "")}
            request |= {"ifNoneExist": self._pick(HEADERS["If-None-Exist"])} if self._draw(0.1) else {}
            entry: Json = {"request": request}
            entry |= {"fullUrl": self._pick(("urn:uuid:1", "urn:uuid:2", *HOSTILE))} if self._draw(0.5) else {}
            if fuzz_request.body:
                try:
                    entry["resource"] = orjson.loads(fuzz_request.body)
                except ValueError:
                    entry["resource"] = self._junk()
            entries.append(entry)
        return self._request(
            "POST", "", (), FHIR, self._faulty_json({"resourceType": "Bundle", "type": kind, "entry": entries}, 0.1)
        )

    def _arbitrary(self) -> FuzzRequest:
        """Return a request with any method and path."""
        parts = [
            self._pick((self._type(), self._id("Patient"), "_history", "_search", *OPERATIONS, *HOSTILE))
            for _ in range(4)
        ]
        method = self._pick(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND"))
        body = self._faulty_json(self._junk()) if method in ("POST", "PUT", "PATCH") else None
        return self._request(
            method, "/".join(parts[: self.random.randint(0, 4)]), self._pairs("Observation"), FHIR, body
        )

    # Bodies

    def _resource(self, type_: str) -> Json:
        """Return a resource of a type about one of the persons."""
        resource: Json = {"resourceType": type_} | copy.deepcopy(MINIMAL_RESOURCES[type_])
        subject = {"reference": f"Patient/{self._pick(self.persons)}"}
        resource[CLINICAL[type_].person or "subject"] = subject
        if self._draw(0.3):
            resource["meta"] = {
                "tag": [{"system": "urn:x", "code": "1"}],
                "security": [{"code": self._pick(("N", "R", "V", "x"))}],
            }
        if self._draw(0.3):
            resource["code"] = {
                "coding": [{"system": "http://loinc.org", "code": "8302-2"}],
                "text": self._pick(HOSTILE) or "x",
            }
        if self._draw(0.1):
            resource["contained"] = [{"resourceType": "Patient", "id": self._pick(("1", "", "a b"))}]
        return resource

    def _document(self) -> Json:
        attachment = {
            "contentType": self._pick(("text/plain", "application/pdf", "application/fhir+json", "x")),
            "title": "T",
        }
        return {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": self._pick(("51852-2", "18842-5", "x"))}]},
            "subject": {"reference": f"Patient/{self._pick(self.persons)}"},
            "content": [{"attachment": attachment | {"data": self._pick(("TGV0dGVy", "e30=", "JVBERi0=", "x", ""))}}],
        }

    def _patch_operations(self) -> list[Json]:
        paths = (
            "/status",
            "/code/text",
            "/id",
            "/resourceType",
            "/subject",
            "/meta",
            "/note/-",
            "",
            "/a/b/c",
            "/~2",
            *HOSTILE,
        )
        operations = ("add", "replace", "remove", "move", "copy", "test", "x")
        return [
            {"op": self._pick(operations), "path": self._pick(paths), "from": self._pick(paths), "value": self._junk()}
            for _ in range(self.random.randint(0, 3))
        ]

    def _junk(self, depth: int = 0) -> Any:
        if depth < 3 and self._draw(0.3):
            return {
                self._pick(("id", "reference", "coding", "value", "resourceType", *HOSTILE)): self._junk(depth + 1)
            }
        if depth < 3 and self._draw(0.2):
            return [self._junk(depth + 1) for _ in range(self.random.randint(0, 3))]
        return self._pick((None, True, 0, -1, 1.5, 2**53, "final", "en", {}, [], *HOSTILE))

    def _faulty_json(self, content: Any, share: float = 0.35) -> bytes:
        """Return JSON, with faults in content or text for a share of the calls."""
        if self._draw(share):
            for _ in range(self.random.randint(1, 3)):
                content = self._with_fault(content)
        text = orjson.dumps(content)
        if self._draw(0.03):
            cut = self.random.randrange(len(text) + 1)
            text = self._pick(
                (text[:cut], text[:cut] + b"\xff" + text[cut:], b"[" * 5_000, b"\xef\xbb\xbf" + text, text * 2)
            )
        return text

    def _with_fault(self, content: Any) -> Any:
        """Return the content with a fault at a random place."""
        if isinstance(content, dict) and content and self._draw(0.8):
            name = self._pick(list(content))
            match self.random.randrange(5):
                case 0:
                    return {other: value for other, value in content.items() if other != name}
                case 1:
                    return content | {name: self._junk()}
                case 2:
                    return content | {str(self._pick(("_" + name, *HOSTILE))): self._junk()}
            return content | {name: self._with_fault(content[name])}
        if isinstance(content, list) and content:
            place = self.random.randrange(len(content))
            return [*content[:place], self._with_fault(content[place]), *content[place:]]
        return self._junk()
