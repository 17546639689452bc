"""The header of a clinical document: Patient and Composition."""

from typing import Any

from esante.core.types import Json
from esante.services.exchange.conversion.datatypes import (
    Coded,
    Concept,
    Ident,
    Interval,
    Moment,
    PersonName,
    PostalAddress,
    ReadContext,
    Telecom,
    Words,
    WriteContext,
)
from esante.services.exchange.conversion.fields import AnyField, Custom, Ext, Field, Group, Within
from esante.services.exchange.conversion.ledger import DERIVABLE, Fate
from esante.services.exchange.conversion.nodes import Node
from esante.services.exchange.conversion.paths import find, parse
from esante.services.exchange.conversion.people import Organizations, Roles, read_role, write_role
from esante.services.exchange.conversion.terms import CORE, OWN

_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_GENDER = "2.16.840.1.113883.5.1"
_LANGUAGES = "urn:ietf:bcp:47"
_CONFIDENTIALITY = ("U", "L", "M", "N", "R", "V")


class _Language:
    """A language code, whose system CDA fixes."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        code = node.take_code("code", target)
        return {"coding": [{"system": _LANGUAGES, "code": code}]} if code else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        for coding in container[key].get("coding", ())[:1]:
            if coding.get("code"):
                element.set("code", context.take(coding, "code", element, "code"))
                context.ledger.mark(coding, "system", Fate.DROPPED, "", DERIVABLE)
                return True
        return False


class _LanguageCode:
    """The language of the document."""

    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        return node.take_code("code", target) if len(node.attributes.get("code", "").split()) == 1 else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        element.set("code", context.take(container, key, element, "code"))
        return True


class _RoleClass:
    """The class of somebody's role, an attribute in CDA and a coding in FHIR."""

    def read(self, node: Node, target: str, context: ReadContext) -> Json | None:
        code = node.take_code("classCode", target, Fate.MOVED)
        return {"coding": [{"system": _ROLE_CLASS, "code": code}]} if code else None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        return False


def _read_contacts(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read guardians, and participants who are contacts."""
    for path, person in (
        ("recordTarget/patientRole/patient/guardian", "guardianPerson/name"),
        ("participant/associatedEntity", "associatedPerson/name"),
    ):
        for found, way in find(node, parse(path)):
            contact: Json = {}
            target = f"{place}.contact"
            Field("", "relationship", _RoleClass(), many=True).read(found, contact, target, context)
            Field("code", "relationship", Concept(), many=True).read(found, contact, target, context)
            if len(way) > 1:
                Field("functionCode", "relationship", Concept(), many=True).read(way[0][1], contact, target, context)
            Field(person, "name", PersonName()).read(found, contact, target, context)
            Field("addr", "address", PostalAddress()).read(found, contact, target, context)
            Field("telecom", "telecom", Telecom(), many=True).read(found, contact, target, context)
            Organizations("scopingOrganization", "organization").read(found, contact, target, context)
            if any(key in contact for key in ("name", "address", "telecom", "organization")):
                out.setdefault("contact", []).append(contact)
            else:
                _unmark(found)


def _unmark(node: Node) -> None:
    node.marks.clear()
    for child in node.children:
        _unmark(child)


def _write_contacts(source: Json, element: Any, context: WriteContext) -> None:
    """Write the contacts of the patient: a guardian into the patient, others as participants."""
    for contact in source.get("contact", ()):
        relationships = contact.get("relationship", ())
        classes = [
            coding
            for concept in relationships
            for coding in concept.get("coding", ())
            if coding.get("system") == _ROLE_CLASS
        ]
        guardian = bool(classes) and classes[0].get("code") == "GUARD"
        if guardian:
            path, person = "recordTarget/patientRole/patient/guardian", "guardianPerson/name"
        else:
            path, person = "participant/associatedEntity", "associatedPerson/name"
        steps = parse(path)
        made, _ = context.writer.create(element, steps, fresh=1 if guardian else 2)
        if not guardian:
            made.getparent().set("typeCode", "IND")
            made.set("classCode", "CON")
        for coding in classes[:1]:
            made.set("classCode", context.take(coding, "code", made, "classCode", Fate.MOVED))
            context.take(coding, "system", made, "classCode", Fate.MERGED)
        others = [
            concept
            for concept in relationships
            if not any(coding.get("system") == _ROLE_CLASS for coding in concept.get("coding", ()))
        ]
        for index, concept in enumerate(others):
            codings = concept.get("coding", ())
            function = any("v3-ParticipationFunction" in str(coding.get("system")) for coding in codings)
            name = "functionCode" if function and not guardian else "code"
            holder = made.getparent() if name == "functionCode" else made
            if holder.find(f"{{*}}{name}") is None:
                one, top = context.writer.create(holder, parse(name))
                if not Concept().write(others, index, one, context):
                    top.getparent().remove(top)
        Field(person, "name", PersonName()).write(contact, made, context)
        Field("addr", "address", PostalAddress()).write(contact, made, context)
        Field("telecom", "telecom", Telecom(), many=True).write(contact, made, context)
        if not guardian:
            Organizations("scopingOrganization", "organization").write(contact, made, context)


_GENDERS = Coded({"F": "female", "M": "male", "UN": "other"}, system=_GENDER, back={"unknown": ""})


def _read_gender(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read the administrative gender: the code of FHIR, and CDA's where it says more (a translation, a display)."""
    for found, way in find(node, parse("administrativeGenderCode")):
        concept = Concept().read(found, f"{place}.extension", context)
        code = {"F": "female", "M": "male", "UN": "other"}.get(found.get("code") or "")
        if code:
            out["gender"] = code
            for step, at in way:
                step.mark(at, f"{place}.gender")
        if concept and concept.get("coding"):
            out.setdefault("extension", []).append({"url": f"{OWN}/gender", "valueCodeableConcept": concept})
        elif concept and "gender" not in out:
            out["_gender"] = concept
        return


def _write_gender(source: Json, element: Any, context: WriteContext) -> None:
    Ext("administrativeGenderCode", f"{OWN}/gender", "valueCodeableConcept", Concept()).write(source, element, context)
    stated = element.find("{*}administrativeGenderCode")
    if stated is not None:
        if {"F": "female", "M": "male", "UN": "other"}.get(stated.get("code")) == source.get("gender"):
            context.ledger.mark(source, "gender", Fate.DROPPED, "", DERIVABLE)
        return
    if source.get("gender") == "unknown":
        made, _ = context.writer.create(element, parse("administrativeGenderCode"))
        made.set("nullFlavor", "UNK")
        context.take(source, "gender", made, "nullFlavor", Fate.MERGED)
        return
    Field("administrativeGenderCode", "gender", _GENDERS).write(source, element, context)


PATIENT_ROLE: tuple[AnyField, ...] = (
    Field("id", "identifier", Ident(), many=True),
    Field("addr", "address", PostalAddress(), many=True),
    Field("telecom", "telecom", Telecom(), many=True),
    Field("patient/name", "name", PersonName(), many=True),
    Within("patient", (Custom(_read_gender, _write_gender),)),
    Field("patient/birthTime", "birthDate", Moment("date")),
    Field("patient/maritalStatusCode", "maritalStatus", Concept()),
    Group(
        "patient/languageCommunication", "communication", (Field("languageCode", "language", _Language()),), fresh=1
    ),
    Ext("patient/birthplace/place/addr", f"{CORE}/patient-birthPlace", "valueAddress", PostalAddress()),
    Organizations("providerOrganization", "managingOrganization"),
)
SECTION_ID = Ext("id", f"{OWN}/section-identifier", "valueIdentifier", Ident())
CONTACTS = Custom(_read_contacts, _write_contacts)


def read_confidentiality(node: Node, out: Json, context: ReadContext) -> None:
    """Read the confidentiality: FHIR's code of the Composition, CDA's with its translations as a security label."""
    for found in node.all("confidentialityCode"):
        concept = Concept().read(found, "Composition.meta.security", context)
        if concept and concept.get("coding"):
            out["meta"] = {"security": concept["coding"]}
        if found.get("code") in _CONFIDENTIALITY:
            out["confidentiality"] = found.get("code")
        return


def write_confidentiality(source: Json, element: Any, context: WriteContext) -> None:
    """Write the confidentiality: the security label, else the code of the Composition, else normal."""
    made, _ = context.writer.create(element, parse("confidentialityCode"))
    uri = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    labels = source.get("meta", {}).get("security", ())
    if labels and labels[0].get("system") == uri and labels[0].get("code"):
        Concept().write({"value": {"coding": labels}}, "value", made, context)
        if source.get("confidentiality") == made.get("code"):
            context.ledger.mark(source, "confidentiality", Fate.DROPPED, "", DERIVABLE)
        return
    made.set("code", "N")
    made.set("codeSystem", "2.16.840.1.113883.5.25")
    if source.get("confidentiality") in _CONFIDENTIALITY:
        made.set("code", context.take(source, "confidentiality", made, "code"))


def _read_authors(node: Node, out: Json, place: str, context: ReadContext) -> None:
    """Read the authors; when they took part stands in an extension of the reference."""
    for author in node.all("author"):
        for assigned in author.all("assignedAuthor"):
            reference = read_role(assigned, "representedOrganization", context)
            if reference is None:
                continue
            Ext("time", f"{OWN}/participation-time", "valueDateTime", Moment()).read(author, reference, place, context)
            Ext("functionCode", f"{OWN}/participation-function", "valueCodeableConcept", Concept()).read(
                author, reference, place, context
            )
            out.setdefault("author", []).append(reference)


def _write_authors(source: Json, element: Any, context: WriteContext) -> None:
    for holder in source.get("author", ()):
        made, _ = context.writer.create(element, parse("author"))
        assigned, _ = context.writer.create(made, parse("assignedAuthor"))
        if not write_role(holder, assigned, "representedOrganization", context):
            element.remove(made)
            continue
        Ext("time", f"{OWN}/participation-time", "valueDateTime", Moment()).write(holder, made, context)
        Ext("functionCode", f"{OWN}/participation-function", "valueCodeableConcept", Concept()).write(
            holder, made, context
        )


def _read_attesters(node: Node, out: Json, place: str, context: ReadContext) -> None:
    for name, mode in (("legalAuthenticator", "legal"), ("authenticator", "professional")):
        for found in node.all(name):
            attester: Json = {"mode": mode}
            Field("time", "time", Moment()).read(found, attester, f"{place}.attester", context)
            Roles("assignedEntity", "party", many=False).read(found, attester, f"{place}.attester", context)
            if len(attester) > 1:
                out.setdefault("attester", []).append(attester)


def _write_attesters(source: Json, element: Any, context: WriteContext) -> None:
    for attester in source.get("attester", ()):
        name = {"legal": "legalAuthenticator", "professional": "authenticator"}.get(attester.get("mode"))
        if name is None or (name == "legalAuthenticator" and element.find("{*}legalAuthenticator") is not None):
            continue
        made, _ = context.writer.create(element, parse(name))
        context.take(attester, "mode", made, "", Fate.MERGED)
        Field("time", "time", Moment()).write(attester, made, context)
        made_code, _ = context.writer.create(made, parse("signatureCode"))
        made_code.set("code", "S")
        Roles("assignedEntity", "party", many=False).write(attester, made, context)


_RELATED = {"XFRM": "transforms", "APND": "appends", "RPLC": "replaces"}


def _read_related(node: Node, out: Json, place: str, context: ReadContext) -> None:
    for found in node.all("relatedDocument"):
        code = _RELATED.get(found.get("typeCode") or "")
        if code is None:
            continue
        related: Json = {"code": code}
        Field("parentDocument/id", "targetIdentifier", Ident()).read(found, related, f"{place}.relatesTo", context)
        if len(related) > 1:
            found.take("typeCode", f"{place}.relatesTo.code")
            out.setdefault("relatesTo", []).append(related)


def _write_related(source: Json, element: Any, context: WriteContext) -> None:
    for related in source.get("relatesTo", ()):
        code = next((cda for cda, fhir in _RELATED.items() if fhir == related.get("code")), None)
        if code is None or "targetIdentifier" not in related:
            continue
        made, _ = context.writer.create(element, parse("relatedDocument"))
        made.set("typeCode", code)
        context.take(related, "code", made, "typeCode")
        Field("parentDocument/id", "targetIdentifier", Ident()).write(related, made, context)


def _read_identifier(node: Node, out: Json, place: str, context: ReadContext) -> None:
    Field("setId", "identifier", Ident()).read(node, out, place, context)
    Ext("versionNumber", f"{CORE}/composition-clinicaldocument-versionNumber", "valueString", _Version()).read(
        node, out, place, context
    )


class _Version:
    def read(self, node: Node, target: str, context: ReadContext) -> Any:
        return node.take("value", target, Fate.MOVED) or None

    def write(self, container: Any, key: str | int, element: Any, context: WriteContext) -> bool:
        value = container[key]
        if not str(value).isdigit():
            return False
        element.set("value", context.take(container, key, element, "value", Fate.MOVED))
        return True


def _write_identifier(source: Json, element: Any, context: WriteContext) -> None:
    Field("setId", "identifier", Ident()).write(source, element, context)
    url = f"{CORE}/composition-clinicaldocument-versionNumber"
    Ext("versionNumber", url, "valueString", _Version()).write(source, element, context)


COMPOSITION: tuple[AnyField, ...] = (
    Field("code", "type", Concept()),
    Field("title", "title", Words()),
    Field("effectiveTime", "date", Moment()),
    Field("languageCode", "language", _LanguageCode()),
    Custom(_read_identifier, _write_identifier),
    Custom(_read_authors, _write_authors),
    Organizations("custodian/assignedCustodian/representedCustodianOrganization", "custodian"),
    Custom(_read_attesters, _write_attesters),
    Ext("inFulfillmentOf/order/id", f"{OWN}/in-fulfillment-of", "valueIdentifier", Ident(), many=True),
    Custom(_read_related, _write_related),
    Group(
        "documentationOf/serviceEvent",
        "event",
        (Field("code", "code", Concept(), many=True), Field("effectiveTime", "period", Interval())),
    ),
)
