"""Small clinical documents for the tests of the exchange."""

from esante.services.exchange.cda import V3

XSI = "http://www.w3.org/2001/XMLSchema-instance"


def cda(sections: str = "", header: str = "", title: str = "Summary") -> bytes:
    """Return a whole document of an invented person; `header` stands before its body."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="{V3}" xmlns:xsi="{XSI}" xmlns:pharm="urn:hl7-org:pharm" classCode="DOCCLIN" moodCode="EVN">
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<id root="2.999" extension="doc-1"/>
<code code="60591-5" codeSystem="2.16.840.1.113883.6.1" displayName="Patient summary"/>
<title>{title}</title>
<effectiveTime value="20260102030405+0100"/>
<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
<languageCode code="en-GB"/>
<recordTarget><patientRole><id root="2.999.1" extension="p-1"/><patient>
<name><family>Muster</family><given>Ada</given></name>
<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19700101"/>
</patient></patientRole></recordTarget>
<author><time value="20260102"/><assignedAuthor><id root="2.999.2" extension="a-1"/>
<assignedPerson><name><family>Arzt</family><given>Bea</given></name></assignedPerson></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="2.999.3" extension="o-1"/>
<name>Clinic</name></representedCustodianOrganization></assignedCustodian></custodian>
{header}<component><structuredBody>{sections}</structuredBody></component>
</ClinicalDocument>""".encode()


def section(code: str, entries: str, text: str = "<paragraph>text</paragraph>", title: str = "Title") -> str:
    """Return a component with a section."""
    return f"""<component><section><id root="2.999.4" extension="{code}"/>
<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><title>{title}</title><text>{text}</text>{entries}
</section></component>"""
