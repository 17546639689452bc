"""Manifests that others wrote, and input that is none."""

import copy
from dataclasses import replace
from datetime import date

import orjson
import pytest
from pydicom import dcmread

from esante.services.imaging.manifest.fhir_reader import read_fhir
from esante.services.imaging.manifest.fhir_writer import write_fhir
from esante.services.imaging.manifest.kos_reader import read_kos
from esante.services.imaging.manifest.kos_writer import write_kos
from esante.services.imaging.manifest.model import Coded, ManifestError, RetrieveLocation
from tests.support.dicom import ct_image, file_of

FIRST, SECOND = "GK17285-KOS.dcm", "1.2.826.0.1.3680043.2.1043.693076.0.66982.83.3.1.dcm"


@pytest.fixture
def read(shared_data):
    """Read a key object selection of another vendor."""
    return lambda name: read_kos((shared_data / "mado-kos" / name).read_bytes())


def test_plain_selection_without_library_gives_its_instances_and_location(read):
    found = read(FIRST)
    [series] = found.series
    assert found.study_uid == "1.2.840.113674.1115.261.200.20240111.163748.100"
    assert [one.uid for one in series.instances] == ["1.2.840.113674.950809133358028.100.20240111.163748.100.1"]
    assert series.modality == "MR"
    assert series.location == RetrieveLocation("1.2.40.0.10.1.6.1.1.1.382.2.103.5.4")
    assert found.accessions == (("", "123445678"),)
    assert (found.patient.birth_date, found.patient.sex) == (date(1943, 5, 4), "male")
    assert found.merkle_root == b""


def test_selection_of_another_vendor_gives_its_series(read):
    found = read(SECOND)
    [series] = found.series
    assert (len(series.instances), series.modality, series.location.uid) == (2, "US", "1.2.40.0.34.3.1.13157")


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_selection_of_another_vendor_becomes_either_format(read, name):
    found = read(name)
    assert read_fhir(write_fhir(found)) == read_kos(write_kos(found)) == found


def test_every_cut_of_a_selection_is_refused_or_read_and_never_fails_otherwise(shared_data):
    data = (shared_data / "mado-kos" / FIRST).read_bytes()
    outcomes = set()
    for size in range(0, len(data), 7):
        try:
            read_kos(data[:size])
            outcomes.add("read")
        except ManifestError:
            outcomes.add("refused")
    assert "refused" in outcomes


@pytest.mark.parametrize("data", [b"", b"MZ" * 200, b"\0" * 128 + b"DICM", file_of(ct_image())])
def test_what_is_no_selection_is_refused_with_its_place(data):
    with pytest.raises(ManifestError) as refused:
        read_kos(data)
    assert refused.value.place


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", ""),
        (b"{}", ""),
        (orjson.dumps({"resourceType": "Patient"}), "Bundle.type"),
        (orjson.dumps({"resourceType": "Bundle", "type": "collection"}), "Bundle.type"),
        (orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": []}), "Bundle"),
    ],
)
def test_what_is_no_fhir_manifest_is_refused_with_its_place(data, place):
    with pytest.raises(ManifestError) as refused:
        read_fhir(data)
    assert place in refused.value.place


def test_second_study_in_a_selection_is_refused(shared_data):
    document = dcmread(shared_data / "mado-kos" / FIRST)
    [study] = document.CurrentRequestedProcedureEvidenceSequence
    another = copy.deepcopy(study)
    another.StudyInstanceUID = "1.2.3"
    document.CurrentRequestedProcedureEvidenceSequence = [study, another]
    with pytest.raises(ManifestError, match="2 studies"):
        read_kos(file_of(document))


def test_body_site_in_words_of_the_device_keeps_them(read):
    found = read(FIRST)
    worded = replace(found, series=(replace(found.series[0], body_site=Coded("", "LEFT TOE", "")),))
    assert read_kos(write_kos(worded)) == read_fhir(write_fhir(worded)) == worded
