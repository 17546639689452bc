"""Support for tests of imaging manifests: manifests that hypothesis makes."""

import hashlib
import io
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import generate_uid

from esante.services.imaging.manifest.index import clean
from esante.services.imaging.manifest.model import (
    DCM,
    KEY_OBJECTS,
    Coded,
    KeyObject,
    Manifest,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    RetrieveLocation,
)
from esante.services.imaging.manifest.regions import body_site, regions_of

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
uids = st.integers(1, 2**128 - 1).map(lambda number: f"2.25.{number}")
texts = st.text(st.characters(codec="utf-8"), max_size=80).map(clean)
names = texts.map(lambda text: clean(text.replace("^", " ").replace("=", " ")))
words = texts.filter(bool)
zones = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
days = st.dates(date(1900, 1, 1), date(2090, 1, 1))
moments = st.tuples(st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.times(), zones).map(
    lambda one: datetime.combine(*one)
)
numbers = st.none() | st.integers(0, 2**31 - 1)
sites = st.sampled_from([Coded("69536005", "Head"), Coded("816094009", "Chest"), Coded("38266002", "Entire body")])
systems = st.sampled_from(["urn:oid:1.2.3", "urn:uuid:2f1c4b7e-8f2b-4c0c-9d7e-0d6f4c2b1a00", "http://example.org/ids"])
numbered = st.text("ABC0123456789-", min_size=1, max_size=16)


@st.composite
def instances(draw) -> ManifestInstance:
    is_key = draw(st.booleans())
    title = Coded("113000", "Of Interest", DCM)
    return ManifestInstance(
        uid=draw(uids),
        sop_class_uid=KEY_OBJECTS if is_key else draw(st.sampled_from([CT, MR])),
        number=draw(numbers),
        frames=draw(numbers),
        sha256=draw(st.just(b"") | st.binary(min_size=32, max_size=32)),
        key_object=KeyObject(title, draw(texts)) if is_key else None,
    )


@st.composite
def series(draw) -> ManifestSeries:
    found = draw(st.lists(instances(), min_size=1, max_size=4, unique_by=lambda one: one.uid))
    return ManifestSeries(
        uid=draw(uids),
        modality=draw(st.sampled_from(["CT", "MR", "OT", "US"])),
        location=RetrieveLocation(draw(uids), draw(st.sampled_from(["", "https://hospital.example/rs"]))),
        instances=tuple(sorted(found, key=lambda one: one.uid)),
        number=draw(numbers),
        description=draw(texts),
        body_site=draw(st.none() | sites | words.map(lambda text: Coded("", text, ""))),
        laterality=draw(st.sampled_from(["", "L", "R", "B"])),
        started=draw(st.none() | days | moments),
    )


@st.composite
def manifests(draw) -> Manifest:
    """Manifests of studies with one to three series."""
    found = draw(st.lists(series(), min_size=1, max_size=3, unique_by=lambda one: one.uid))
    if len({one.uid for part in found for one in part.instances}) != sum(len(part.instances) for part in found):
        found = found[:1]
    return Manifest(
        uid=draw(uids),
        study_uid=draw(uids),
        created=draw(moments).astimezone(UTC),
        organization=draw(texts),
        patient=ManifestPatient(
            identifiers=tuple(draw(st.lists(st.tuples(systems, numbered), max_size=2, unique=True))),
            family=draw(names),
            given=draw(names),
            birth_date=draw(st.none() | days),
            sex=draw(st.sampled_from(["", "female", "male", "other"])),
        ),
        series=tuple(sorted(found, key=lambda one: one.uid)),
        started=draw(st.none() | days | moments),
        description=draw(texts),
        accessions=tuple(draw(st.lists(st.tuples(systems, numbered), max_size=2, unique=True))),
        regions=regions_of(one.body_site for one in found),
        viewer_url=draw(st.sampled_from(["", "https://esante.example/images/2.25.1/viewer"])),
    )


def manifest_of_files(person, files) -> Manifest:
    """Return the manifest of the files of one study of a person, as a hospital makes it."""
    by_series: dict[str, list] = {}
    for file in files:
        found = dcmread(io.BytesIO(file), stop_before_pixels=True)
        by_series.setdefault(found.SeriesInstanceUID, []).append((found, file))
    first = dcmread(io.BytesIO(files[0]), stop_before_pixels=True)
    return Manifest(
        uid=generate_uid(),
        study_uid=first.StudyInstanceUID,
        created=datetime.now(UTC).replace(microsecond=0),
        organization="Hôpital du Nord",
        patient=ManifestPatient(
            identifiers=tuple((one.system, one.value) for one in person.identifiers),
            family=person.family,
            given=" ".join(person.given),
            birth_date=person.birth_date,
            sex=person.sex,
        ),
        series=tuple(
            ManifestSeries(
                uid=uid,
                modality=group[0][0].Modality,
                location=RetrieveLocation("1.2.3"),
                instances=tuple(
                    ManifestInstance(
                        uid=found.SOPInstanceUID,
                        sop_class_uid=found.SOPClassUID,
                        number=int(found.InstanceNumber),
                        sha256=hashlib.sha256(file).digest(),
                    )
                    for found, file in sorted(group, key=lambda one: one[0].SOPInstanceUID)
                ),
                number=int(group[0][0].SeriesNumber),
                description=group[0][0].SeriesDescription,
                body_site=body_site(group[0][0].get("BodyPartExamined", "")),
            )
            for uid, group in sorted(by_series.items())
        ),
        started=date(2024, 3, 11),
        description=first.StudyDescription,
        accessions=(("", first.AccessionNumber),),
    )
