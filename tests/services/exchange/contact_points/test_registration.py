"""What is accepted as the registration of another country's contact point, and what is refused with place and remedy."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.core import clock
from esante.services.exchange.contact_points import FieldKind, MaskField, Transaction
from esante.services.exchange.contact_points.mask import matches, read_mask, write_mask
from esante.services.exchange.contact_points.registration import DESCRIPTION, read_files, read_registration
from esante.services.exchange.model import NotUsable
from tests.support.contact_points import changed, trial_country

URL = "https://ncp.example:8443"
DS = "http://www.w3.org/2000/09/xmldsig#"


def faults(files: Mapping[str, bytes], confirmed: frozenset[str] | None = None, after: timedelta = timedelta()) -> str:
    if confirmed is None:
        confirmed = trial_country("PT").confirmed
    with pytest.raises(NotUsable) as caught:
        read_registration(files, (), confirmed, clock.now() + after)
    assert all(one.message and one.remedy for one in caught.value.faults)
    return str(caught.value)


def test_publication_of_one_country_is_read_by_another() -> None:
    portugal = trial_country("PT")
    found = read_registration(portugal.files(URL), (), portugal.confirmed, clock.now())
    assert (found.country, found.home) == ("PT", "2.999.2")
    assert found.endpoints == {
        Transaction.DISCOVERY: f"{URL}/XCPD_Service",
        Transaction.LIST: f"{URL}/XCA_Service",
        Transaction.RETRIEVE: f"{URL}/XCA_Service",
        Transaction.SUBMIT: f"{URL}/XDR_Service",
    }
    assert list(found.seals) == [portugal.own.issuer.certificate] and list(found.tls) == [portugal.own.tls]
    assert [(one.kind, one.domain) for one in found.mask] == [
        (FieldKind.ID, "1.3.182.4.4"),
        (FieldKind.BIRTH_DATE, ""),
    ]
    assert found.valid_until == portugal.own.tls.not_valid_after_utc


def test_metadata_that_we_seal_is_accepted_by_xmlsec() -> None:
    portugal = trial_country("PT")
    root = etree.fromstring(portugal.files()["ITI-55.xml"])
    context = xmlsec.SignatureContext()
    pem = portugal.own.issuer.certificate.public_bytes(Encoding.PEM)
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
    context.verify(root.find(f"{{{DS}}}Signature"))


def test_seal_that_nobody_confirmed_is_refused_with_its_fingerprint() -> None:
    portugal = trial_country("PT")
    said = faults(portugal.files(), frozenset())
    assert next(iter(portugal.confirmed)) in said and "--fingerprint" in said


def test_metadata_under_the_seal_of_another_country_is_refused() -> None:
    portugal, malta = trial_country("PT"), trial_country("MT")
    files = {**portugal.files(), "ITI-55.xml": malta.files()["ITI-55.xml"]}
    assert "ITI-55.xml: no seal of the contact point signed it" in faults(files)
    both = {**files, "seal-2.crt": malta.own.issuer.certificate.public_bytes(Encoding.PEM)}
    assert "ITI-55.xml: it is about urn:ehealth:mt:ncp-idp, not PT" in faults(
        both, portugal.confirmed | malta.confirmed
    )


def test_altered_metadata_is_refused() -> None:
    files = trial_country("PT").files(URL)
    said = faults(changed(files, "ITI-38.xml", URL.encode(), b"https://thief.example"))
    assert "ITI-38.xml: no seal of the contact point signed it" in said


def test_signed_metadata_wrapped_in_an_unsigned_document_is_refused() -> None:
    files = trial_country("PT").files(URL)
    signed = etree.fromstring(files["ITI-38.xml"])
    wrapper = etree.fromstring(files["ITI-38.xml"].replace(URL.encode(), b"https://thief.example"))
    signature = wrapper.find(f"{{{DS}}}Signature")
    assert signature is not None
    wrapper.remove(signature)
    wrapper.append(signed)
    assert "ITI-38.xml" in faults({**files, "ITI-38.xml": etree.tostring(wrapper)})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'country = "PT"', b'country = "pt"', "country is missing or has another form"),
        (b'country = "PT"', b"", "country is missing"),
        (b'home_community = "2.999.2"', b'home_community = "urn:oid:2.999.2"', "home_community"),
        (b'languages = ["fr", "de", "en"]', b"languages = []", "languages"),
        (b'languages = ["fr"', b'languages = ["fr_FR"', "languages"),
        (b'offers = ["11502-2"', b'offers = ["<script>"', "offers"),
        (b'country = "PT"', b"country = [[[", "this is no TOML"),
    ],
)
def test_description_of_another_form_is_refused(before: bytes, after: bytes, said: str) -> None:
    assert said in faults(changed(trial_country("PT").files(), DESCRIPTION, before, after))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (DESCRIPTION, None, "the file is missing"),
        ("seal.crt", b"nonsense", "this is no certificate in PEM"),
        ("seal.crt", None, "there is no seal"),
        ("ITI-55.xml", b"<a/>", "one signature is needed"),
        ("ITI-55.xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "no XML that is accepted"),
        ("ITI-55.xml", b"<a>" * 10_000, "no XML that is accepted"),
    ],
)
def test_missing_or_broken_file_is_named(name: str, content: bytes | None, said: str) -> None:
    files = trial_country("PT").files()
    files = {key: value for key, value in files.items() if key != name} | ({name: content} if content else {})
    assert said in faults(files)


def test_metadata_past_its_time_is_refused() -> None:
    assert "one active endpoint is needed, there are 0" in faults(
        {**trial_country("PT").files(at=clock.now() + timedelta(days=30))}
    )
    assert "the seal is not valid now" in faults(trial_country("PT").files(), after=timedelta(days=400))


def test_two_documents_about_one_transaction_are_refused() -> None:
    files = trial_country("PT").files()
    assert "several documents about ITI-55" in faults({**files, "again.xml": files["ITI-55.xml"]})


def test_all_faults_are_said_at_once() -> None:
    files = {**trial_country("PT").files(), "ITI-55.xml": b"<a/>", "ITI-38.xml": b"<b/>"}
    said = faults(files)
    assert "ITI-55.xml" in said and "ITI-38.xml" in said


def test_folder_with_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ITI-55.xml").write_bytes(b" " * (512 * 1024 + 1))
    with pytest.raises(NotUsable, match="more than"):
        read_files(tmp_path)


fields = st.builds(
    MaskField,
    kind=st.sampled_from([FieldKind.TEXT, FieldKind.BIRTH_DATE, FieldKind.SEX]),
    label=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30),
    pattern=st.sampled_from(["", "^[0-9]{9}$", r"\d+-[A-Z]"]),
    is_mandatory=st.booleans(),
) | st.builds(MaskField, kind=st.just(FieldKind.ID), label=st.just("label"), domain=st.just("2.999"))


@given(st.lists(fields, min_size=1, max_size=8))
def test_mask_is_read_back_as_written(mask: list[MaskField]) -> None:
    read = read_mask(etree.fromstring(etree.tostring(write_mask(mask, "PT"))), "PT")
    assert sorted(read, key=repr) == sorted(mask, key=repr)


def test_mask_of_denmark_asks_for_one_identifier(shared_data: Path) -> None:
    file = shared_data / "ehdsi-soap" / "InternationalSearch_DK.xml"
    (one,) = read_mask(etree.fromstring(file.read_bytes()), "DK")
    assert (one.kind, one.domain, one.is_mandatory) == (FieldKind.ID, "1.2.208.176.1.2", True)
    assert matches(one, "010190-1234") and matches(one, "0101901234") and not matches(one, "01019012345")


def test_pattern_that_takes_for_ever_elsewhere_is_answered() -> None:
    one = MaskField(FieldKind.TEXT, "label", pattern="(a+)+b")
    assert not matches(one, "a" * 5_000)


def test_pattern_with_a_back_reference_is_refused() -> None:
    mask = write_mask([MaskField(FieldKind.TEXT, "label", pattern=r"(a)\1")], "PT")
    with pytest.raises(NotUsable, match="no regular expression"):
        read_mask(mask, "PT")
