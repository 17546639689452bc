"""Papers as HL7 CDA R2 documents (ISO/HL7 27932:2009): header, and a structured body of readable text."""

import random
from datetime import datetime
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from esante.demo.data_tables import table
from esante.demo.documents.table_rows import header, row, title_of
from esante.demo.model import Fact, Paper, Section
from esante.demo.seeded_random import urn
from esante.identity.directory import Identifier, Person

_LOINC = 'codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC"'
_GENDER = {"female": "F", "male": "M"}


def document(paper: Paper, chance: random.Random) -> bytes:
    """The bytes of the document, UTF-8."""
    code = f'<code code="{paper.type}" {_LOINC}/>'
    body = "".join(_section(section, paper.language) for section in paper.sections)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3">'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        f'<id root="{_uuid(chance)}"/>{code}<title>{escape(paper.title)}</title>'
        f'<effectiveTime value="{_time(paper.at)}"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
        f'<languageCode code="{paper.language}"/>'
        f"{_target(paper.subject.person)}{_author(paper)}{_custodian(paper)}"
        f"<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>\n"
    ).encode()


def _target(person: Person) -> str:
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


def _author(paper: Paper) -> str:
    if paper.author is None or paper.organization is None:
        who, name, where = (
            paper.subject.person.identifiers[0],
            _name(paper.subject.person.given, paper.subject.person.family),
            "",
        )
    else:
        who, name = paper.author.identifiers[0], _name(paper.author.given, paper.author.family, paper.author.title)
        where = f"<representedOrganization><name>{escape(paper.organization.name)}</name></representedOrganization>"
    return (
        f'<author><time value="{_time(paper.at)}"/><assignedAuthor>{_id(who)}'
        f"<assignedPerson>{name}</assignedPerson>{where}</assignedAuthor></author>"
    )


def _custodian(paper: Paper) -> str:
    if paper.organization is None:
        identifier, name = '<id nullFlavor="NA"/>', ""
    else:
        identifier, name = _id(paper.organization.identifiers[0]), f"<name>{escape(paper.organization.name)}</name>"
    return (
        "<custodian><assignedCustodian><representedCustodianOrganization>"
        f"{identifier}{name}</representedCustodianOrganization></assignedCustodian></custodian>"
    )


def _id(identifier: Identifier) -> str:
    """An II: the OID of a system that has one; for another its URI names the assigning authority."""
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
    name = quoteattr(table("titles")["section"][section.code]["name"])
    return (
        f'<component><section><code code="{section.code}" {_LOINC} displayName={name}/>'
        f"<title>{escape(title_of(section, language))}</title><text>{_text(section, language)}</text>"
        "</section></component>"
    )


def _text(section: Section, language: str) -> str:
    parts = [f"<paragraph>{escape(text)}</paragraph>" for text in section.text]
    if section.facts:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header(section.facts, language))
        body = "".join(_row(fact, language) for fact in section.facts)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(parts)


def _row(fact: Fact, language: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(fact, language)) + "</tr>"


def _uuid(chance: random.Random) -> UUID:
    return UUID(urn(chance).removeprefix("urn:uuid:"))


def _time(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S+0000")
