"""Names of SAML 2.0 and of the profiles of its attributes (OASIS XSPA, IHE XUA, MyHealth@EU)."""

from enum import StrEnum

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
V3 = "urn:hl7-org:v3"
XS = "http://www.w3.org/2001/XMLSchema"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SENDER_VOUCHES = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
PREVIOUS_SESSION = "urn:oasis:names:tc:SAML:2.0:ac:classes:PreviousSession"
URI_FORMAT = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

SUBJECT = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
ORGANIZATION = "urn:oasis:names:tc:xspa:1.0:subject:organization"
ORGANIZATION_ID = "urn:oasis:names:tc:xspa:1.0:subject:organization-id"
FACILITY_TYPE = "urn:ehdsi:names:subject:healthcare-facility-type"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
LOCALITY = "urn:oasis:names:tc:xspa:1.0:environment:locality"
PERMISSION = "urn:oasis:names:tc:xspa:1.0:subject:hl7:permission"
HOME_COMMUNITY = "urn:ihe:iti:xca:2010:homeCommunityId"
DISPENSATION_PIN = "urn:ehdsi:names:document:document-id:dispensationPinCode"
NEXT_OF_KIN = "urn:ehdsi:names:subject:nextofkin"
"""What attributes of a next of kin begin with: `:id`, `:firstname`, `:familyname`, `:birthdate`."""
PRESCRIPTION_ID = "urn:ehdsi:names:document:document-id:prescriptionId"


class Kind(StrEnum):
    """The kind of an assertion, as the NameQualifier of its issuer says it."""

    HCP = "urn:ehdsi:assertions:hcp"
    TRC = "urn:ehdsi:assertions:trc"
    NOK = "urn:ehdsi:assertions:nok"
