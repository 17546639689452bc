"""The words for modalities (PS3.3, C.7.3.1.1.1), for people who are no radiologists."""

from collections.abc import Mapping

from esante.core.web import N_

MODALITIES: Mapping[str, str] = {
    "CR": N_("X-ray"),
    "CT": N_("CT scan"),
    "DX": N_("X-ray"),
    "ES": N_("Endoscopy"),
    "IO": N_("Dental X-ray"),
    "MG": N_("Mammography"),
    "MR": N_("MRI scan"),
    "NM": N_("Nuclear medicine"),
    "OP": N_("Photograph of the eye"),
    "OPT": N_("Scan of the eye"),
    "PT": N_("PET scan"),
    "PX": N_("Dental X-ray"),
    "RF": N_("Fluoroscopy"),
    "SM": N_("Microscopy"),
    "US": N_("Ultrasound"),
    "XA": N_("X-ray of blood vessels"),
    "XC": N_("Photograph"),
}
"""The words (msgids) by modality. What is not here are no pictures (reports, selections, segmentations)."""


def modality_words(modalities: object) -> tuple[str, ...]:
    """Return the words (msgids) for the modalities of a study, each once; those without words are left out."""
    found = modalities if isinstance(modalities, tuple | list) else ()
    return tuple(dict.fromkeys(MODALITIES[one] for one in found if one in MODALITIES))
