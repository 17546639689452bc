"""The index of a study of the archive, from its rows: no file is opened."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo

from esante.core.types import Json
from esante.identity.directory import Person
from esante.services.imaging.ingest.values import items_of
from esante.services.imaging.manifest import terms
from esante.services.imaging.manifest.identifiers import derived_uid, location_uid
from esante.services.imaging.manifest.model import (
    Coded,
    KeyObject,
    Manifest,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    RetrieveLocation,
)
from esante.services.imaging.manifest.moments import parse_day, parse_moment, zone_of
from esante.services.imaging.manifest.regions import body_site, regions_of
from esante.services.imaging.model import Instance, Series, Study

DISPLAY_PATH = "/IHEInvokeImageDisplay"
"""The path of Invoke Image Display (RAD-106)."""
MAX_TEXT = 64
"""Characters of a description, as of an LO (PS3.5, 6.2)."""
_SERIES_DAY, _SERIES_TIME, _BODY_PART, _LATERALITY, _FRAMES = (
    "00400244",
    "00400245",
    "00180015",
    "00200060",
    "00280008",
)


def index_study(
    study: Study,
    series: Sequence[Series],
    instances: Iterable[Instance],
    person: Person,
    organization: str,
    base_url: str,
    headers: Mapping[str, Json] | None = None,
) -> Manifest:
    """Return the index of a study with at least one instance.

    `organization`: the name of its depositor; `base_url`: the address of the platform; `headers`: those of key object
    selections among the instances, by UID.
    """
    by_series: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_series[instance.series_uid].append(instance)
    every = [one for group in by_series.values() for one in group]
    zone = zone_of(_text(study.attributes, "00080201"))
    url = f"{base_url}/dicomweb"
    location = RetrieveLocation(location_uid(url), url)
    found = [
        _series(one, by_series[one.series_uid], location, zone, headers or {})
        for one in sorted(series, key=lambda one: one.series_uid)
        if one.series_uid in by_series
    ]
    newest = max(one.received_at for one in every)
    number = clean(study.accession_number)
    return Manifest(
        uid=manifest_uid(study.study_uid, len(every), newest),
        study_uid=study.study_uid,
        created=newest,
        started=parse_moment(study.study_on, _text(study.attributes, "00080030"), zone),
        description=clean(_text(study.attributes, "00081030")),
        organization=clean(organization),
        accessions=((study.depositor_id.urn, number),) if number else (),
        regions=regions_of(one.body_site for one in found),
        patient=_patient(person),
        viewer_url=f"{base_url}{DISPLAY_PATH}?requestType=STUDY&studyUID={study.study_uid}",
        series=tuple(found),
    )


def manifest_uid(study_uid: str, instances: int, newest: datetime) -> str:
    """Return the UID of a manifest: a study is only added to, so the number of instances and the last say all."""
    return derived_uid("manifest", study_uid, str(instances), newest.isoformat())


def clean(text: str) -> str:
    """Return a text of a header as one line that both formats hold: printable, no backslash, bounded."""
    printable = "".join(char if char.isprintable() and char != "\\" else " " for char in text)
    return " ".join(printable.split())[:MAX_TEXT].strip()


def series_site(series: Series) -> Coded | None:
    """Return the body site of a series (see `regions.body_site`)."""
    return body_site(clean(_text(series.attributes, _BODY_PART)))


def _series(
    series: Series,
    instances: Sequence[Instance],
    location: RetrieveLocation,
    zone: tzinfo,
    headers: Mapping[str, Json],
) -> ManifestSeries:
    attributes = series.attributes
    side = _text(attributes, _LATERALITY)
    return ManifestSeries(
        uid=series.series_uid,
        modality=clean(series.modality) or terms.OTHER,
        location=location,
        instances=tuple(
            _instance(one, headers.get(one.instance_uid))
            for one in sorted(instances, key=lambda one: one.instance_uid)
        ),
        number=_number(attributes, "00200011"),
        description=clean(_text(attributes, "0008103E")),
        body_site=series_site(series),
        laterality=side if side in terms.SIDES else "",
        started=parse_moment(parse_day(_text(attributes, _SERIES_DAY)), _text(attributes, _SERIES_TIME), zone),
    )


def _instance(instance: Instance, header: Json | None) -> ManifestInstance:
    number = instance.instance_number
    return ManifestInstance(
        uid=instance.instance_uid,
        sop_class_uid=instance.sop_class_uid,
        number=number if number is not None and number >= 0 else None,
        frames=_number(instance.attributes, _FRAMES),
        sha256=instance.sha256,
        key_object=_key_object(header) if header is not None else None,
    )


def _key_object(header: Json) -> KeyObject | None:
    """Return what a key object selection says of itself: its title, and its description (TID 2010)."""
    title: Coded | None = None
    for code in items_of(header, "0040A043"):
        title = terms.coded(*(clean(_text(code, tag)) for tag in ("00080100", "00080102", "00080104")))
    words = ""
    for item in items_of(header, "0040A730"):
        names = {_text(code, "00080100") for code in items_of(item, "0040A043")}
        if terms.DESCRIPTION[0] in names:
            words = clean(_text(item, "0040A160"))
    return KeyObject(title, words) if title is not None else None


def _patient(person: Person) -> ManifestPatient:
    return ManifestPatient(
        identifiers=tuple((one.system, one.value) for one in person.identifiers),
        family=_name(person.family),
        given=_name(" ".join(person.given)),
        birth_date=person.birth_date,
        sex=person.sex if person.sex != "unknown" else "",
    )


def _name(text: str) -> str:
    return clean(text.replace("^", " ").replace("=", " "))


def _text(attributes: Json, tag: str) -> str:
    value = next(iter(attributes.get(tag, {}).get("Value", ())), "")
    return "" if value is None or isinstance(value, dict) else str(value)


def _number(attributes: Json, tag: str) -> int | None:
    value = next(iter(attributes.get(tag, {}).get("Value", ())), None)
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**31 else None
