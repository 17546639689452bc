"""Words about patients on a page in French, German, English, Luxembourgish and Portuguese.

They are patterns of folded text: without accents and capital letters.
"""

import re

_BIRTH = (
    # French
    r"ne(?:\(e\)|e)? le|nee(?: [a-z'-]+){1,3} le|ne\(e\)|nee?(?= ?:)|(?<!lieu de )naissance|d\.? ?d\.? ?n\.?",
    # German; * is printed before the date
    r"geb(?:oren|\.)?(?: [a-z-]+)? am|geb(?:oren|\.)?|geburtsdatum|geb\.?-? ?dat(?:um|\.)?|\*(?= ?\d)",
    # English
    r"born(?: on)?|date of birth|birth ?date|d\.? ?o\.? ?b\.?",
    # Luxembourgish
    r"gebuer(?:en)?(?: den?| um| am)?|gebuertsdatum",
    # Portuguese
    r"nascid[oa](?: a| em)?|(?:data de )?nascimento|d\. ?n\.",
)
_PATIENT = (
    r"patient(?:e|in|en)?(?: ?\(e\)|/-?in)?",
    r"nom(?: et |, ?| ?/ ?)prenoms?|nom (?:du|de la) patiente?",
    r"name, ?vorname|name (?:des patienten|der patientin)|patientenname",
    r"name of (?:the )?patient|patient(?:['’]?s)? name",
    r"numm vum patient",
    r"utente|doente|paciente|nome do (?:utente|doente|paciente)",
)
_FAMILY = (
    r"nom(?: de famille)?",
    r"name|nachname|familienname",
    r"surname|(?:last|family) name",
    r"numm",
    r"apelidos?",
)
_GIVEN = (
    r"prenoms?",
    r"vornamen?",
    r"(?:first|given) names?|forenames?",
    r"virnumm",
    r"nomes? proprios?",
)
MONTHS = (
    ("jan",),
    ("feb", "fev"),
    ("mar", "mae"),
    ("apr", "avr", "abr"),
    ("mai", "may", "mee"),
    ("jun", "juin"),
    ("jul", "juil"),
    ("aug", "aou", "ago"),
    ("sep", "set"),
    ("oct", "okt", "out"),
    ("nov",),
    ("dec", "dez"),
)
"""The beginnings of the names of the months, from January on."""


def _any_of(patterns: tuple[str, ...]) -> str:
    return f"(?<![a-z])(?:{'|'.join(patterns)})"


BIRTH = re.compile(f"{_any_of(_BIRTH)}(?![a-z])")
"""Words beside which a birth date stands."""
PATIENT = re.compile(f"{_any_of(_PATIENT)} ?: ?")
"""Labels of the whole name of the patient."""
FAMILY = re.compile(f"(?<!first )(?<!given ){_any_of(_FAMILY)} ?: ?")
GIVEN = re.compile(f"{_any_of(_GIVEN)} ?: ?")
"""Labels of the two parts of a name."""
