"""Documents of hospitals, and the requests that deposit them."""

import base64
import io
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from esante.core.types import Json

LOINC = "http://loinc.org"
DISCHARGE, LETTER, CONSULTATION, LABORATORY = "18842-5", "51852-2", "11488-4", "11502-2"


def build_discharge_letter(
    patient: Json, text: str, *, title: str = "Lettre de sortie", family: str = "Kieffer"
) -> Json:
    """Return a discharge letter as a FHIR document; `patient` has at least `identifier` and `name`."""
    subject, author = uuid4().urn, uuid4().urn
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": uuid4().urn},
        "timestamp": now,
        "entry": [
            {
                "fullUrl": uuid4().urn,
                "resource": {
                    "resourceType": "Composition",
                    "status": "final",
                    "type": {"coding": [{"system": LOINC, "code": DISCHARGE}]},
                    "subject": {"reference": subject},
                    "date": now,
                    "author": [{"reference": author}],
                    "title": title,
                    "section": [{"title": "Évolution", "text": _narrative(text)}],
                },
            },
            {"fullUrl": subject, "resource": {"resourceType": "Patient", **patient}},
            {"fullUrl": author, "resource": {"resourceType": "Practitioner", "name": [{"family": family}]}},
        ],
    }


def _narrative(text: str) -> Json:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(text)}</p></div>'}


def build_document_reference(
    subject: Json,
    content: bytes,
    *,
    title: str = "Courrier",
    type_: str = LETTER,
    media_type: str = "text/plain",
    **more: Any,
) -> Json:
    """Return a DocumentReference with its content (ITI-105)."""
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": type_}]},
        "subject": subject,
        "content": [
            {
                "attachment": {
                    "contentType": media_type,
                    "data": base64.b64encode(content).decode(),
                    "title": title,
                }
            }
        ],
        **more,
    }


def build_iti65_transaction(subject: Json, *documents: Json, titles: tuple[str, ...] = ()) -> Json:
    """Return a transaction that provides FHIR documents (ITI-65)."""
    lists = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
    references, contents = [], []
    for place, document in enumerate(documents):
        content = uuid4().urn
        title = titles[place] if place < len(titles) else document["entry"][0]["resource"]["title"]
        resource = {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": document["entry"][0]["resource"]["type"],
            "subject": subject,
            "content": [{"attachment": {"contentType": "application/fhir+json", "url": content, "title": title}}],
        }
        references.append(_post_entry(uuid4().urn, resource))
        contents.append(_post_entry(content, document))
    submission = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"system": lists, "code": "submissionset"}]},
        "subject": subject,
        "entry": [{"item": {"reference": entry["fullUrl"]}} for entry in references],
    }
    entries = [_post_entry(uuid4().urn, submission), *references, *contents]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _post_entry(url: str, resource: Json) -> Json:
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def build_pdf(text: str) -> bytes:
    """Return a small PDF."""
    from fpdf import FPDF

    document = FPDF()
    document.add_page()
    document.set_font("helvetica", size=12)
    document.cell(text=text)
    return bytes(document.output())


def build_cda(text: str = "", *, doctype: str = "", title: str = "Résumé", code: str = "34133-9") -> bytes:
    """Return a small CDA R2 document with `doctype` before it and `text` in its only section."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>{doctype}
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <id root="2.999" extension="{uuid4().hex}"/>
  <code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>
  <title>{title}</title>
  <effectiveTime value="20240311101500+0100"/>
  <languageCode code="fr"/>
  <component><structuredBody><component><section><title>Motif</title><text>{text}</text></section></component>
  </structuredBody></component>
</ClinicalDocument>""".encode()


def build_png() -> bytes:
    """Return a small PNG image."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (40, 30), tuple(uuid4().bytes[:3])).save(out, "PNG")
    return out.getvalue()
