"""A copy without identity: nothing of the patient in any byte, consistent UIDs, the same pixels, risks flagged."""

import io
from datetime import date
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from esante.services.imaging.deidentification.copy_instance import (
    NotAnImage,
    deidentify,
    other_uid,
    pseudonym,
    risks_of,
)
from esante.services.imaging.deidentification.profile import profile
from tests.support.dicom import ct_image, file_of, pydicom_file

KEY, TODAY = b"k" * 32, date(2026, 3, 1)
SECRET = "Zzyzxname"


def marked_image() -> Dataset:
    """Return an image with a mark in everything that may name the patient, also within sequences and private."""
    image = ct_image(
        PatientName=f"{SECRET}^Anna",
        PatientID=SECRET,
        PatientBirthDate="19440509",
        StudyDate="20240311",
        StudyDescription=SECRET,
        SeriesDescription=SECRET,
        ImageComments=SECRET,
        InstitutionName=SECRET,
        ReferringPhysicianName=SECRET,
        OperatorsName=SECRET,
        PatientComments=SECRET,
        AccessionNumber=SECRET[:16],
        StudyID=SECRET,
        ProtocolName=SECRET,
        BodyPartExamined="CHEST",
    )
    inner = Dataset()
    inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    inner.PatientName, inner.InstitutionName = SECRET, SECRET
    image.ReferencedImageSequence, image.ReferencedStudySequence = [inner], [inner]
    image.add_new(0x00091010, "LO", SECRET)
    image.add_new(0x60000010, "US", 1)
    image.add_new(0x60003000, "OW", SECRET.encode() + b"x")
    return image


def copied(image: Dataset, key: bytes = KEY) -> tuple[Dataset, bytes, tuple[str, ...]]:
    file, risks = deidentify(file_of(image), key, "PSEUDONYM", TODAY)
    return dcmread(io.BytesIO(file)), file, risks


def test_nothing_that_names_the_patient_is_left_in_any_byte():
    image = marked_image()
    copy, file, _ = copied(image)
    for mark in (
        SECRET,
        "Anna",
        "19440509",
        "20240311",
        *(str(image[key].value) for key in (0x0020000D, 0x0020000E, 0x00080018)),
    ):
        assert mark.encode() not in file, mark
    assert (copy.PatientID, copy.PatientIdentityRemoved) == ("PSEUDONYM", "YES")
    assert copy.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert not [element for element in copy if element.tag.is_private]


def test_pixels_and_their_description_stay():
    image = marked_image()
    copy, _, _ = copied(image)
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "Modality", "SOPClassUID", "BodyPartExamined"):
        assert copy[keyword].value == image[keyword].value, keyword


def test_references_between_instances_stay_consistent():
    image = marked_image()
    copy, _, _ = copied(image)
    assert copy.SOPInstanceUID == copy.file_meta.MediaStorageSOPInstanceUID == other_uid(KEY, image.SOPInstanceUID)
    assert copy.ReferencedImageSequence[0].ReferencedSOPInstanceUID == copy.SOPInstanceUID


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.from_regex(r"1\.2(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True),
)
def test_uid_is_the_same_for_a_key_and_another_for_another(one, other, uid):
    assert other_uid(one, uid) == other_uid(one, uid)
    assert len(other_uid(one, uid)) <= 64
    if one != other:
        assert other_uid(one, uid) != other_uid(other, uid)


def test_pseudonym_differs_by_key_and_person():
    person = uuid4()
    assert pseudonym(KEY, person) == pseudonym(KEY, person)
    assert len({pseudonym(KEY, person), pseudonym(b"o" * 32, person), pseudonym(KEY, uuid4())}) == 3


@pytest.mark.parametrize(
    ("elements", "risks"),
    [
        ({"Modality": "CT", "BodyPartExamined": "CHEST"}, ()),
        ({"Modality": "CT", "BodyPartExamined": "CHEST", "BurnedInAnnotation": "YES"}, ("burned-in",)),
        ({"Modality": "US"}, ("burned-in",)),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, ()),
        ({"Modality": "CT", "BodyPartExamined": "CHEST", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, ("burned-in",)),
        ({"Modality": "MR", "BodyPartExamined": "Head & Neck"}, ("face",)),
        ({"Modality": "CT"}, ("face",)),
    ],
)
def test_risk_is_flagged(elements, risks):
    assert risks_of(ct_image(**elements)) == risks


def test_report_is_not_copied():
    image = marked_image()
    del image.PixelData
    with pytest.raises(NotAnImage):
        deidentify(file_of(image), KEY, "P", TODAY)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "US1_J2KR.dcm", "RG3_J2KI.dcm", "emri_small.dcm"])
def test_image_of_pydicom_loses_its_name_and_keeps_its_pixels(name):
    original = dcmread(pydicom_file(name))
    file, _ = deidentify(pydicom_file(name).read_bytes(), KEY, "PSEUDONYM", TODAY)
    copy = dcmread(io.BytesIO(file))
    assert copy.PixelData == original.PixelData
    assert not original.PatientID or original.PatientID not in str(copy)
    assert copy.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID


def test_profile_has_the_actions_of_the_standard():
    rules = profile(TODAY)
    actions = {
        "00100010": "Z",
        "00100020": "Z/D",
        "00080018": "U",
        "00081030": "X",
        "00080090": "Z",
        "60003000": "X",
        "60FE3000": "X",
    }
    assert {tag: rules.action_of(tag) for tag in actions} == actions
    assert rules.action_of("00280010") == rules.action_of("00080060") == ""
