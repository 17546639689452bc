"""Prescriptions of another country, and answers with them."""

import base64
from collections.abc import Sequence

from tests.support.encounters import DOMAIN, HOME, PATIENT

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
_LOINC = "2.16.840.1.113883.6.1"
_CLASSIFICATIONS = {
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": ("57833-6", _LOINC, "Prescription"),
    "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": ("57833-6", _LOINC, "Prescription"),
    "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": ("urn:epsos:ep:pre:2010", "eHDSI formatCodes", "eP"),
}
EVENTS = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
XDW = "1.3.6.1.4.1.19376.1.2.3"


def prescription(number: str = "1", medicine: str = "Amoxicilline <500> & co", patient: str = PATIENT) -> str:
    """Return a prescription of one medicine as a clinical document."""
    name = medicine.replace("&", "&amp;").replace("<", "&lt;")
    return f"""<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:pharm="urn:hl7-org:pharm">
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/><templateId root="1.3.6.1.4.1.12559.11.10.1.3.1.1.1"/>
<id root="2.999.9" extension="eP-{number}"/><code code="57833-6" codeSystem="{_LOINC}"/><title>Receita</title>
<effectiveTime value="20261101"/><confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
<languageCode code="pt-PT"/><recordTarget><patientRole><id root="{DOMAIN}" extension="{patient}"/><patient><name>
<given>Maude</given><family>Test</family></name><birthTime value="19670630"/></patient></patientRole></recordTarget>
<author><time value="20261101"/><assignedAuthor><id root="2.999.9" extension="m"/><assignedPerson><name><family>Médica
</family></name></assignedPerson></assignedAuthor></author><custodian><assignedCustodian>
<representedCustodianOrganization><id root="2.999.9"/></representedCustodianOrganization></assignedCustodian></custodian>
<component><structuredBody><component><section><templateId root="1.3.6.1.4.1.12559.11.10.1.3.1.2.1"/>
<code code="57828-6" codeSystem="{_LOINC}"/><title>Receita</title><text>{name}</text><entry>
<substanceAdministration classCode="SBADM" moodCode="INT"><id root="2.999.9.1" extension="item-{number}"/>
<consumable><manufacturedProduct><manufacturedMaterial><name>{name}</name><pharm:formCode code="10219000"
 codeSystem="0.4.0.127.0.16.1.1.2.1" displayName="Tablet"/></manufacturedMaterial></manufacturedProduct></consumable>
<entryRelationship typeCode="COMP"><supply classCode="SPLY" moodCode="RQO"><independentInd value="false"/>
<quantity value="2" unit="1"/></supply></entryRelationship></substanceAdministration></entry></section></component>
</structuredBody></component></ClinicalDocument>"""


def prescription_list(numbers: Sequence[str] = ("1",), state: str = "open", reason: str = "Open") -> str:
    """Return the answer that lists prescriptions."""
    objects = "".join(_entry(one, state, reason) for one in numbers)
    return (
        '<q:AdhocQueryResponse xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"'
        ' status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success">'
        f'<RegistryObjectList xmlns="{RIM}">{objects}</RegistryObjectList></q:AdhocQueryResponse>'
    )


def retrieved(content: str, unique_id: str) -> str:
    """Return the answer with a document inline."""
    return (
        '<x:RetrieveDocumentSetResponse xmlns:x="urn:ihe:iti:xds-b:2007">'
        '<r:RegistryResponse xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"'
        ' status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"/>'
        f"<x:DocumentResponse><x:HomeCommunityId>urn:oid:{HOME}</x:HomeCommunityId>"
        f"<x:RepositoryUniqueId>{HOME}</x:RepositoryUniqueId><x:DocumentUniqueId>{unique_id}</x:DocumentUniqueId>"
        f"<x:mimeType>text/xml</x:mimeType><x:Document>{base64.b64encode(content.encode()).decode()}</x:Document>"
        "</x:DocumentResponse></x:RetrieveDocumentSetResponse>"
    )


def failure(code: str) -> str:
    """Return the answer that refuses a dispensation."""
    severity = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
    return (
        '<r:RegistryResponse xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"'
        ' status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"><r:RegistryErrorList>'
        f'<r:RegistryError errorCode="{code}" codeContext="why" severity="{severity}"/>'
        "</r:RegistryErrorList></r:RegistryResponse>"
    )


def unique_id(number: str = "1") -> str:
    """Return the unique id of a prescription of a list."""
    return f"2.999.9^eP-{number}"


def _entry(number: str, state: str, reason: str) -> str:
    uuid = f"urn:uuid:00000000-0000-4000-8000-{int(number):012}"
    classifications = {**_CLASSIFICATIONS, EVENTS: (f"urn:ihe:iti:xdw:2011:eventCode:{state}", XDW, reason)}
    codes = "".join(
        f'<Classification classificationScheme="{scheme}" classifiedObject="{uuid}" id="{uuid}" nodeRepresentation="{code}">'
        f'<Slot name="codingScheme"><ValueList><Value>{system}</Value></ValueList></Slot>'
        f'<Name><LocalizedString value="{display}"/></Name></Classification>'
        for scheme, (code, system, display) in classifications.items()
    )
    patient = f"{PATIENT}^^^&amp;{DOMAIN}&amp;ISO"
    return (
        f'<ExtrinsicObject id="{uuid}" home="urn:oid:{HOME}" mimeType="text/xml">'
        f'<Slot name="repositoryUniqueId"><ValueList><Value>{HOME}</Value></ValueList></Slot>'
        f'<Name><LocalizedString value="Receita {number}"/></Name>{codes}'
        f'<ExternalIdentifier identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427" value="{patient}"/>'
        '<ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"'
        f' value="{unique_id(number)}"/></ExtrinsicObject>'
    )
