"""Rendering as HL7 CDA R2 documents (ISO/HL7 27932:2009): header, and a structured body of narrative text."""

import random
from datetime import datetime
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from esante.demo.data_tables import load_table
from esante.demo.documents.table_rows import section_title, table_header, table_row
from esante.demo.model import DocumentDraft, Fact, Section
from esante.demo.seeded_random import draw_urn
from esante.identity.directory import Identifier, Person

_LOINC = 'codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"'
_GENDER = {"female": "F", "male": "M"}


def render_cda(draft: DocumentDraft, rng: random.Random) -> bytes:
    """Return the draft as a CDA document, UTF-8."""
    code = f'<code code="{draft.type}" {_LOINC}/>'
    body = "".join(_section(section, draft.language) for section in draft.sections)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3">'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        f'<id root="{_uuid(rng)}"/>{code}<title>{escape(draft.title)}</title>'
        f'<effectiveTime value="{_time(draft.at)}"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
        f'<languageCode code="{draft.language}"/>'
        f"{_record_target(draft.subject.person)}{_author(draft)}{_custodian(draft)}"
        f"<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>\n"
    ).encode()


def _record_target(person: Person) -> str:
    address = person.address
    return (
        f"<recordTarget><patientRole>{''.join(_id(identifier) for identifier in person.identifiers)}"
        f"<addr><streetAddressLine>{escape(address.line)}</streetAddressLine>"
        f"<postalCode>{escape(address.postal_code)}</postalCode><city>{escape(address.city)}</city>"
        f"<country>{address.country}</country></addr>"
        f"<patient>{_name(person.given, person.family)}"
        f'<administrativeGenderCode code="{_GENDER.get(person.sex, "UN")}" codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{person.birth_date:%Y%m%d}"/></patient></patientRole></recordTarget>'
    )


def _author(draft: DocumentDraft) -> str:
    if draft.author is None or draft.organization is None:
        identifier, name, organization = (
            draft.subject.person.identifiers[0],
            _name(draft.subject.person.given, draft.subject.person.family),
            "",
        )
    else:
        identifier, name = (
            draft.author.identifiers[0],
            _name(draft.author.given, draft.author.family, draft.author.title),
        )
        organization = (
            f"<representedOrganization><name>{escape(draft.organization.name)}</name></representedOrganization>"
        )
    return (
        f'<author><time value="{_time(draft.at)}"/><assignedAuthor>{_id(identifier)}'
        f"<assignedPerson>{name}</assignedPerson>{organization}</assignedAuthor></author>"
    )


def _custodian(draft: DocumentDraft) -> str:
    if draft.organization is None:
        identifier, name = '<id nullFlavor="NA"/>', ""
    else:
        identifier, name = _id(draft.organization.identifiers[0]), f"<name>{escape(draft.organization.name)}</name>"
    return (
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        f"{identifier}{name}</representedCustodianOrganization></assignedCustodian></custodian>"
    )


def _id(identifier: Identifier) -> str:
    """Return an II: with the OID of a system that has one, else with its URI as the assigning authority."""
    if identifier.system.startswith("urn:oid:"):
        return f'<id root="{identifier.system.removeprefix("urn:oid:")}" extension="{identifier.value}"/>'
    return (
        f'<id nullFlavor="UNC" extension="{identifier.value}" assigningAuthorityName={quoteattr(identifier.system)}/>'
    )


def _name(given: tuple[str, ...], family: str, prefix: str = "") -> str:
    before = f"<prefix>{escape(prefix)}</prefix>" if prefix else ""
    names = "".join(f"<given>{escape(name)}</given>" for name in given)
    return f"<name>{before}{names}<family>{escape(family)}</family></name>"


def _section(section: Section, language: str) -> str:
    name = quoteattr(load_table("titles")["section"][section.code]["name"])
    return (
        f'<component><section><code code="{section.code}" {_LOINC} displayName={name}/>'
        f"<title>{escape(section_title(section, language))}</title><text>{_text(section, language)}</text>"
        "</section></component>"
    )


def _text(section: Section, language: str) -> str:
    parts = [f"<paragraph>{escape(text)}</paragraph>" for text in section.text]
    if section.facts:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in table_header(section.facts, language))
        body = "".join(_row(fact, language) for fact in section.facts)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(parts)


def _row(fact: Fact, language: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in table_row(fact, language)) + "</tr>"


def _uuid(rng: random.Random) -> UUID:
    return UUID(draw_urn(rng).removeprefix("urn:uuid:"))


def _time(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S+0000")
