"""A manifest says the same as FHIR document and as key object selection, for every index."""

import hashlib
import io
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from pydicom import dcmread

from esante.core.fhir import check
from esante.services.imaging.manifest.fhir_reader import read_fhir
from esante.services.imaging.manifest.fhir_writer import write_fhir
from esante.services.imaging.manifest.kos_reader import read_kos
from esante.services.imaging.manifest.kos_writer import write_kos
from esante.services.imaging.manifest.model import ManifestError
from tests.support.manifests import manifests


@settings(max_examples=25)
@given(manifests())
def test_each_format_is_read_back_as_written_and_one_becomes_the_other(manifest):
    as_fhir, as_kos = read_fhir(write_fhir(manifest)), read_kos(write_kos(manifest))
    assert as_fhir == manifest
    assert as_kos == manifest
    assert read_fhir(write_fhir(as_kos)) == read_kos(write_kos(as_fhir)) == manifest


@settings(max_examples=20)
@given(manifests())
def test_written_documents_are_valid_fhir_and_readable_dicom(manifest):
    assert check(write_fhir(manifest)).ok
    found = dcmread(io.BytesIO(write_kos(manifest)))
    referenced = [
        sop.ReferencedSOPInstanceUID
        for study in found.CurrentRequestedProcedureEvidenceSequence
        for one in study.ReferencedSeriesSequence
        for sop in one.ReferencedSOPSequence
    ]
    assert sorted(referenced) == sorted(one.uid for one in manifest.instances())
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID == manifest.uid


def tree_root(hashes: list[bytes]) -> bytes:
    """The root by the definition of RFC 9162, section 2.1.1, in its recursive form."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashlib.sha256(b"\0" + hashes[0]).digest()
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + tree_root(hashes[:split]) + tree_root(hashes[split:])).digest()


@settings(max_examples=20)
@given(manifests())
def test_merkle_root_is_that_of_the_definition_and_missing_without_a_hash(manifest):
    hashes = [one.sha256 for one in sorted(manifest.instances(), key=lambda one: one.uid)]
    assert manifest.merkle_root == (tree_root(hashes) if all(hashes) else b"")


@settings(max_examples=15)
@given(manifests())
def test_document_whose_hash_was_changed_is_refused(manifest):
    first = manifest.series[0]
    whole = [
        replace(one, instances=tuple(replace(i, sha256=b"\1" * 32) for i in one.instances)) for one in manifest.series
    ]
    sound = replace(manifest, series=tuple(whole))
    bundle = orjson.loads(write_fhir(sound))
    [study] = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "ImagingStudy"]
    [instance] = [one for part in study["series"] for one in part["instance"] if one["uid"] == first.instances[0].uid]
    [extension] = [one for one in instance["extension"] if one["url"].endswith("sha256")]
    extension["valueBase64Binary"] = "A" * 43 + "="
    with pytest.raises(ManifestError, match="Merkle root"):
        read_fhir(orjson.dumps(bundle))
    assert (b"01" * 32) in write_kos(sound)
    with pytest.raises(ManifestError, match="Merkle root"):
        read_kos(write_kos(sound).replace(b"01" * 32, b"02" * 32, 1))
