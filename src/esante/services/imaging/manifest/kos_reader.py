"""Reading of DICOM key object selections: MADO, and the plain ones of XDS-I.b, which describe nothing.

The file is walked by the bounded walker of the ingest; no library sees the bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from typing import Any

from esante.core.types import Json
from esante.services.imaging.ingest.header import Header, read_header
from esante.services.imaging.ingest.limits import Rejected, is_uid
from esante.services.imaging.ingest.values import items_of
from esante.services.imaging.manifest import terms
from esante.services.imaging.manifest.identifiers import system_of
from esante.services.imaging.manifest.model import (
    KEY_OBJECTS,
    MAX_INSTANCES,
    MAX_MANIFEST,
    Coded,
    KeyObject,
    Manifest,
    ManifestError,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    Moment,
    RetrieveLocation,
    checked,
)
from esante.services.imaging.manifest.moments import parse_day, parse_moment, zone_of

_SEXES = {"F": "female", "M": "male", "O": "other"}
_EVIDENCE, _SERIES, _SOPS = "0040A375", "00081115", "00081199"
_CREATOR, _DISPLAY_URI = "IHE_MADO_PRIVATE", "0040E012"
_CONTENT = "0040A730"
_LEAVES = ("IMAGE", "COMPOSITE", "WAVEFORM")


def read_kos(data: bytes) -> Manifest:
    """Return the manifest of a DICOM file. Raises: `ManifestError`."""
    if len(data) > MAX_MANIFEST:
        raise ManifestError("file", f"{MAX_MANIFEST:,} bytes are allowed")
    try:
        header = read_header(data, len(data))
    except Rejected as rejected:
        raise ManifestError("file", str(rejected)) from rejected
    if header.sop_class_uid != KEY_OBJECTS:
        raise ManifestError("(0008,0016)", "it is no Key Object Selection Document")
    return _read(header)


@dataclass(slots=True)
class _Library:
    """What the image library describes, by UID; and the root that it states."""

    series: dict[str, dict[tuple[str, str], Any]]
    instances: dict[str, dict[tuple[str, str], Any]]
    regions: tuple[str, ...] = ()
    root: bytes = b""


def _read(header: Header) -> Manifest:
    zone = zone_of(header.text("00080201"))
    study = _study(header.json)
    library = _read_library(header.json)
    series = tuple(sorted(_read_series(study, library, zone), key=lambda one: one.uid))
    if not series:
        raise ManifestError("(0040,A375)", "it refers to no instance")
    created = parse_moment(parse_day(header.text("00080023")), header.text("00080033"), zone)
    manifest = Manifest(
        uid=header.sop_instance_uid,
        study_uid=_uid(study, "0020000D"),
        created=created if isinstance(created, datetime) else _midnight(created, zone),
        started=parse_moment(parse_day(header.text("00080020")), header.text("00080030"), zone),
        description=header.text("00081030"),
        organization=header.text("00080080"),
        accessions=_accessions(header.json),
        patient=_patient(header),
        regions=library.regions,
        viewer_url=_viewer_url(study),
        series=series,
    )
    return checked(manifest, library.root, "(0040,A730)")


def _study(json: Json) -> Json:
    """Return the one study to which the document refers; MADO has one (6.X.2.13)."""
    studies = items_of(json, _EVIDENCE)
    if len({_text(one, "0020000D") for one in studies}) != 1:
        raise ManifestError("(0040,A375)", f"it refers to {len(studies)} studies, and one is allowed")
    merged: list[Json] = [series for one in studies for series in items_of(one, _SERIES)]
    return {**studies[0], _SERIES: {"vr": "SQ", "Value": merged}}


def _read_series(study: Json, library: _Library, zone: tzinfo) -> Iterator[ManifestSeries]:
    seen: set[str] = set()
    found: dict[str, list[ManifestInstance]] = {}
    locations: dict[str, RetrieveLocation] = {}
    for item in items_of(study, _SERIES):
        uid = _uid(item, "0020000E")
        locations.setdefault(uid, RetrieveLocation(_text(item, "0040E011"), _text(item, "00081190")))
        for sop in items_of(item, _SOPS):
            instance = _instance(sop, library)
            if instance.uid not in seen:
                seen.add(instance.uid)
                found.setdefault(uid, []).append(instance)
    if len(seen) > MAX_INSTANCES:
        raise ManifestError("(0008,1199)", f"{MAX_INSTANCES:,} instances are allowed")
    for uid, instances in found.items():
        said = library.series.get(uid, {})
        modality = said.get(_key(terms.MODALITY))
        side, site = said.get(_key(terms.LATERALITY)), said.get(_key(terms.TARGET_REGION))
        yield ManifestSeries(
            uid=uid,
            modality=modality.code if isinstance(modality, Coded) and modality.code else _modality(instances),
            location=locations[uid],
            instances=tuple(sorted(instances, key=lambda one: one.uid)),
            number=_whole(said.get(_key(terms.SERIES_NUMBER))),
            description=_words(said.get(_key(terms.SERIES_DESCRIPTION))),
            body_site=Coded("", site, "") if isinstance(site, str) and site else site or None,
            laterality=terms.side_of(side.code) if isinstance(side, Coded) else "",
            started=parse_moment(
                parse_day(_words(said.get(_key(terms.SERIES_DATE)))), _words(said.get(_key(terms.SERIES_TIME))), zone
            ),
        )


def _instance(sop: Json, library: _Library) -> ManifestInstance:
    uid = _uid(sop, "00081155")
    said = library.instances.get(uid, {})
    title = said.get(_key(terms.DOCUMENT_TITLE))
    return ManifestInstance(
        uid=uid,
        sop_class_uid=_uid(sop, "00081150"),
        number=_whole(said.get(_key(terms.INSTANCE_NUMBER))),
        frames=_whole(said.get(_key(terms.FRAMES))),
        sha256=_hash(said.get(_key(terms.SHA256))),
        key_object=KeyObject(title, _words(said.get(_key(terms.DESCRIPTION)))) if isinstance(title, Coded) else None,
    )


def _modality(instances: list[ManifestInstance]) -> str:
    return next((found for one in instances if (found := terms.modality_of(one.sop_class_uid)) != terms.OTHER), "OT")


# The image library


def _read_library(json: Json) -> _Library:
    library = _Library({}, {})
    for item in items_of(json, _CONTENT):
        if _concept(item) == _key(terms.IMAGE_LIBRARY):
            regions = []
            for content in items_of(item, _CONTENT):
                key, value = _concept(content), _value(content)
                if key == _key(terms.TARGET_REGION) and isinstance(value, Coded) and value.code:
                    regions.append(value.code)
                elif key == _key(terms.MERKLE_ROOT):
                    library.root = _hash(value)
                elif key == _key(terms.GROUP):
                    _read_group(content, library)
            library.regions = tuple(sorted(set(regions)))
    return library


def _read_group(group: Json, library: _Library) -> None:
    """Read a series and its instances.

    Descriptors of an instance are its children; some writers put them before it.
    """
    said: dict[tuple[str, str], Any] = {}
    before: dict[tuple[str, str], Any] = {}
    of_instance = {_key(one) for one in (terms.INSTANCE_NUMBER, terms.FRAMES, terms.DOCUMENT_TITLE, terms.DESCRIPTION)}
    for item in items_of(group, _CONTENT):
        if _text(item, "0040A040") in _LEAVES:
            for sop in items_of(item, _SOPS):
                children = {_concept(one): _value(one) for one in items_of(item, _CONTENT)}
                library.instances[_text(sop, "00081155")] = before | children
            before = {}
        elif (key := _concept(item)) in of_instance:
            before[key] = _value(item)
        else:
            said[key] = _value(item)
    library.series[_words(said.get(_key(terms.SERIES_UID)))] = said


def _concept(item: Json) -> tuple[str, str]:
    for code in items_of(item, "0040A043"):
        key = _text(code, "00080100"), _text(code, "00080102")
        return _key(terms.FINAL[key]) if key in terms.FINAL else key
    return "", ""


def _key(concept: terms.Concept) -> tuple[str, str]:
    return concept[:2]


def _value(item: Json) -> Any:
    """Return the value of a content item: a text, a number as text, or a code."""
    match _text(item, "0040A040"):
        case "CODE":
            for code in items_of(item, "0040A168"):
                return terms.coded(_text(code, "00080100"), _text(code, "00080102"), _text(code, "00080104"))
        case "TEXT":
            return _text(item, "0040A160")
        case "UIDREF":
            return _text(item, "0040A124")
        case "DATE":
            return _text(item, "0040A121")
        case "TIME":
            return _text(item, "0040A122")
        case "NUM":
            for measured in items_of(item, "0040A300"):
                return _text(measured, "0040A30A")
    return ""


# The patient and the requests


def _patient(header: Header) -> ManifestPatient:
    json = header.json
    family, given, middle = (*(part.strip() for part in header.text("00100010").split("^")), "", "", "")[:3]
    identifiers = [_identifier(one, "00100020", "00100024") for one in (json, *items_of(json, "00101002"))]
    return ManifestPatient(
        identifiers=tuple(dict.fromkeys(one for one in identifiers if one[1])),
        family=family,
        given=" ".join(filter(None, (given, middle))),
        birth_date=parse_day(header.text("00100030")),
        sex=_SEXES.get(header.text("00100040"), ""),
    )


def _accessions(json: Json) -> tuple[tuple[str, str], ...]:
    found = [_identifier(one, "00080050", "00080051") for one in (*items_of(json, "0040A370"), json)]
    return tuple(dict.fromkeys(one for one in found if one[1]))


def _identifier(item: Json, value: str, issuer: str) -> tuple[str, str]:
    for one in items_of(item, issuer):
        return system_of(_text(one, "00400032"), _text(one, "00400033")), _text(item, value)
    return "", _text(item, value)


def _viewer_url(study: Json) -> str:
    """Return the address of a viewer: Display URI of CP-2595, or the private element until it is final (6.X.2.13)."""
    for block in range(0x10, 0x100):
        if _text(study, f"000D00{block:02X}") == _CREATOR:
            return _text(study, f"000D{block:02X}01")
    return _text(study, _DISPLAY_URI)


# Values


def _text(item: Json, tag: str) -> str:
    value = next(iter(item.get(tag, {}).get("Value", ())), "")
    return "" if value is None or isinstance(value, dict) else _plain(value)


def _plain(value: object) -> str:
    """Return a value as text; a number of DS that is whole without its fraction."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _words(value: object) -> str:
    return value.display if isinstance(value, Coded) else value if isinstance(value, str) else ""


def _uid(item: Json, tag: str) -> str:
    uid = _text(item, tag)
    if not is_uid(uid):
        raise ManifestError(f"({tag[:4]},{tag[4:]})", "it is no UID")
    return uid


def _whole(value: object) -> int | None:
    digits = value if isinstance(value, str) else ""
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    return number if number is not None and number < 2**31 else None


def _hash(value: object) -> bytes:
    try:
        found = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""
    return found if len(found) == 32 else b""


def _midnight(day: Moment | None, zone: tzinfo) -> datetime:
    """Return the beginning of the day on which a document was made; that of the epoch where it does not say."""
    return datetime.combine(day or date(1970, 1, 1), time(), zone)
