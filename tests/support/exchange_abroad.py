"""Patients and professionals of two countries, and documents that cross the border between them."""

from uuid import UUID

import orjson

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Identifier, Person
from esante.services.exchange.connector.abroad import professional_abroad
from esante.services.exchange.connector.record_connector import RecordConnector
from esante.services.exchange.consent import CountryConsents
from esante.services.exchange.hl7v3.model import InstanceId
from esante.services.exchange.terminology import sample_catalogue
from esante.services.record import Deposit
from tests.support.record import World, fhir_document

ISSUER = "2.999.77"
"""The issuer of the identifiers of patients."""
HOME, HOME_ABROAD = "2.999.1", "2.999.2"


def connector_of(world: World) -> RecordConnector:
    """Return the connector over the record of a world."""
    return RecordConnector(world.db, world.directory, world.access, world.record, sample_catalogue(), HOME)


def number_of(person: Person) -> InstanceId:
    """Return the identifier by which other countries know a person."""
    [found] = [one for one in person.identifiers if one.system == f"urn:oid:{ISSUER}"]
    return InstanceId(ISSUER, found.value)


async def patient(world: World, *, consents: str = "XA", family: str = "Weber", **options) -> Person:
    """Register a person with an open record, who lets a country ("": none) read it."""
    number = Identifier(f"urn:oid:{ISSUER}", str(uuid7().int % 10**12))
    person = await world.person(family, identifiers=[number], **options)
    if consents:
        await CountryConsents(world.access).give(requester_of(person), consents, f"Country {consents}")
    return person


def doctor_abroad(role: str = "221", country: str = "XA", name_id: str = "doctor@hospital.example") -> Requester:
    """Return a professional of another country."""
    return professional_abroad(country, HOME_ABROAD, name_id, "Dr Anne Test", role, "Hospital of Test", on=today())


async def summary(world: World, person: Person, by: str = "doctor", **composition) -> UUID:
    """Deposit a patient summary in FHIR; return its key."""
    return await deposit(world, person, "60591-5", by, **composition)


async def deposit(world: World, person: Person, type_: str, by: str = "doctor", **composition) -> UUID:
    """Deposit a document in FHIR of a type; return its key."""
    content = orjson.dumps(fhir_document(person, type_=type_, **composition))
    done = await world.record.deposit(world.people[by], person.id, content, Deposit())
    return done.document.id


def prescription_cda(person: Person, number: str) -> bytes:
    """Return a prescription as CDA: its id, and that of its one item, have the extension `number` of 2.999.5."""
    patient_id = number_of(person)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:pharm="urn:hl7-org:pharm">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="1.3.6.1.4.1.12559.11.10.1.3.1.1.1"/>
  <id root="2.999.5" extension="{number}"/>
  <code code="57833-6" codeSystem="2.16.840.1.113883.6.1"/>
  <title>Ordonnance</title>
  <effectiveTime value="20260311101500+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="fr"/>
  <recordTarget><patientRole><id root="{patient_id.root}" extension="{patient_id.extension}"/>
    <patient><name><given>{person.given[0]}</given><family>{person.family}</family></name>
    <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
    <birthTime value="{person.birth_date:%Y%m%d}"/></patient></patientRole></recordTarget>
  <author><time value="20260311"/><assignedAuthor><id root="2.999.6" extension="1"/></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization><id root="2.999.1"/>
    </representedCustodianOrganization></assignedCustodian></custodian>
  <component><structuredBody><component><section>
    <code code="57828-6" codeSystem="2.16.840.1.113883.6.1"/><title>Prescription</title>
    <text><table><thead><tr><th>Médicament</th><th>Dose</th></tr></thead>
      <tbody><tr><td>Amoxicilline 500 mg</td><td>3 x par jour</td></tr></tbody></table></text>
    <entry><substanceAdministration classCode="SBADM" moodCode="INT">
      <id root="2.999.5" extension="{number}"/><statusCode code="active"/>
      <consumable><manufacturedProduct classCode="MANU"><manufacturedMaterial classCode="MMAT" determinerCode="KIND">
        <pharm:asSpecializedKind classCode="GRIC"><pharm:generalizedMaterialKind classCode="MMAT">
          <pharm:code code="J01CA04" codeSystem="2.16.840.1.113883.6.73" displayName="amoxicillin"/>
        </pharm:generalizedMaterialKind></pharm:asSpecializedKind>
      </manufacturedMaterial></manufacturedProduct></consumable>
    </substanceAdministration></entry>
  </section></component></structuredBody></component>
</ClinicalDocument>""".encode()


def dispensation_cda(
    person: Person,
    number: str,
    *,
    document: str = "",
    order: str = "",
    reference: str = "",
    parent: str = "",
    root: str = "2.999.5",
) -> bytes:
    """Return a dispensation of the prescription `number`; `order`, `reference` and `parent` replace its places."""
    patient_id = number_of(person)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="1.3.6.1.4.1.12559.11.10.1.3.1.1.2"/>
  <id root="2.999.8" extension="{document or uuid7().hex}"/>
  <code code="60593-1" codeSystem="2.16.840.1.113883.6.1"/>
  <title>eDispensation</title>
  <effectiveTime value="20260312101500+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <languageCode code="en"/>
  <recordTarget><patientRole><id root="{patient_id.root}" extension="{patient_id.extension}"/>
    <patient><name><given>{person.given[0]}</given><family>{person.family}</family></name>
    <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
    <birthTime value="{person.birth_date:%Y%m%d}"/></patient></patientRole></recordTarget>
  <author><time value="20260312"/><assignedAuthor><id root="2.999.9" extension="1"/></assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization><id root="2.999.2"/>
    </representedCustodianOrganization></assignedCustodian></custodian>
  <inFulfillmentOf><order><id root="{root}" extension="{order or number}"/></order></inFulfillmentOf>
  <relatedDocument typeCode="XFRM"><parentDocument><id root="{root}" extension="{parent or number}"/>
    </parentDocument></relatedDocument>
  <component><structuredBody><component><section>
    <code code="60590-7" codeSystem="2.16.840.1.113883.6.1"/><title>Dispensed</title><text>Amoxicillin</text>
    <entry><supply classCode="SPLY" moodCode="EVN"><id root="2.999.8" extension="1"/>
      <entryRelationship typeCode="REFR"><substanceAdministration classCode="SBADM" moodCode="INT">
        <id root="{root}" extension="{reference or number}"/></substanceAdministration></entryRelationship>
    </supply></entry>
  </section></component></structuredBody></component>
</ClinicalDocument>""".encode()


async def prescription(world: World, person: Person, number: str) -> UUID:
    """Deposit a prescription as CDA; return its key."""
    done = await world.record.deposit(
        world.people["doctor"],
        person.id,
        prescription_cda(person, number),
        Deposit(media_type="application/hl7-cda+xml", confirmation="sample"),
    )
    return done.document.id
