"""UCUM codes (The Unified Code for Units of Measure, case sensitive): their dimensions and factors.

Covers the grammar and the units of clinical data. Units with a zero of their own (Cel, [degF], pH) have a dimension of
their own, so they are comparable among themselves only.
"""

import functools
import re
from fractions import Fraction
from typing import NamedTuple

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip

#: Units that take a prefix, as a number of other units; None for base units.
_METRIC: dict[str, tuple[str, str] | None] = {
    "m": None, "s": None, "g": None, "rad": None, "K": None, "C": None, "cd": None, "mol": ("6.02214076", "10*23"),
    "Cel": None, "[pH]": None, "[iU]": None, "[IU]": ("1", "[iU]"), "B": None, "bit": None, "By": ("8", "bit"),
    "L": ("1", "dm3"), "l": ("1", "dm3"), "Hz": ("1", "/s"), "N": ("1", "kg.m/s2"), "Pa": ("1", "N/m2"),
    "J": ("1", "N.m"), "W": ("1", "J/s"), "A": ("1", "C/s"), "V": ("1", "J/C"), "F": ("1", "C/V"),
    "Ohm": ("1", "V/A"), "S": ("1", "/Ohm"), "Wb": ("1", "V.s"), "T": ("1", "Wb/m2"), "H": ("1", "Wb/A"),
    "lm": ("1", "cd.sr"), "lx": ("1", "lm/m2"), "Bq": ("1", "/s"), "Gy": ("1", "J/kg"), "Sv": ("1", "J/kg"),
    "kat": ("1", "mol/s"), "U": ("1", "umol/min"), "eq": ("1", "mol"), "osm": ("1", "mol"), "sr": ("1", "rad2"),
    "bar": ("100000", "Pa"), "m[Hg]": ("133322", "Pa"), "m[H2O]": ("9806.65", "Pa"), "cal": ("4.184", "J"),
    "t": ("1000", "kg"), "dyn": ("1", "g.cm/s2"), "erg": ("1", "dyn.cm"),
    "P": ("1", "dyn.s/cm2"), "Ci": ("37000000000", "Bq"),
    "eV": ("1.602176634", "J.10*-19"), "cal_th": ("4.184", "J"), "Lmb": ("1", "cd/cm2"),
    "M[iU]": ("1000000", "[iU]"),
}  # fmt: skip

#: Units that take no prefix.
_PLAIN: dict[str, tuple[str, str] | None] = {
    "%": ("1", "10*-2"), "[ppth]": ("1", "10*-3"), "[ppm]": ("1", "10*-6"), "[ppb]": ("1", "10*-9"),
    "min": ("60", "s"), "h": ("60", "min"), "d": ("24", "h"), "wk": ("7", "d"), "a": ("365.25", "d"),
    "a_j": ("365.25", "d"), "mo": ("30.4375", "d"), "mo_j": ("30.4375", "d"), "deg": ("2", "[pi].rad/360"),
    "[pi]": ("3.1415926535897932384626433832795", "1"), "gon": ("0.9", "deg"), "'": ("1", "deg/60"),
    "''": ("1", "'/60"),
    "[in_i]": ("2.54", "cm"), "[ft_i]": ("12", "[in_i]"), "[yd_i]": ("3", "[ft_i]"), "[mi_i]": ("5280", "[ft_i]"),
    "[sin_i]": ("1", "[in_i]2"), "[sft_i]": ("1", "[ft_i]2"), "[gr]": ("64.79891", "mg"),
    "[lb_av]": ("7000", "[gr]"),
    "[oz_av]": ("1", "[lb_av]/16"), "[dr_av]": ("1", "[oz_av]/16"), "[lb_tr]": ("5760", "[gr]"),
    "[oz_tr]": ("480", "[gr]"),
    "[stone_av]": ("14", "[lb_av]"), "[gal_us]": ("231", "[in_i]3"), "[qt_us]": ("1", "[gal_us]/4"),
    "[pt_us]": ("1", "[qt_us]/2"), "[foz_us]": ("1", "[gal_us]/128"), "[tbs_us]": ("1", "[foz_us]/2"),
    "[tsp_us]": ("1", "[tbs_us]/3"), "[cup_us]": ("16", "[tbs_us]"), "[drp]": ("1", "ml/20"),
    "[psi]": ("6894.757293168", "Pa"),
    "[in_i'Hg]": ("25.4", "mm[Hg]"), "[in_i'H2O]": ("25.4", "mm[H2O]"), "atm": ("101325", "Pa"),
    "u": ("1.66053906660", "g.10*-24"),
    "[Ch]": ("1", "mm/3"), "[degF]": None, "[arb'U]": None, "[CFU]": None,
    "[diop]": ("1", "/m"), "[Cal]": ("1", "kcal"),
    "[HPF]": ("1", "1"), "[LPF]": ("100", "1"),
}  # fmt: skip

_ATOM = re.compile(r"(10[*^]|[^\d+\-./(){}\[\]]*(?:\[[^\]]*\])?[^\d+\-./(){}\[\]]*)([+-]?\d+)?(?:\{[^}]*\})?")
_NUMBER = re.compile(r"(\d++)(?![*^])(?:\{[^}]*\})?")
_ANNOTATION = re.compile(r"\{[^}]*\}")
_ONE_UNIT = r"((?:[A-Za-z%]|\[[^\[\]]*\])++)(-?\d{1,2})?"
_PLAIN_CODE = re.compile(rf"/?{_ONE_UNIT}(?:[./]{_ONE_UNIT})*", re.ASCII)
_PLAIN_PART = re.compile(rf"([./]?){_ONE_UNIT}", re.ASCII)
_MAX_LENGTH, _MAX_EXPONENT = 100, 50

Dimensions = tuple[tuple[str, int], ...]


class Measure(NamedTuple):
    """`factor` times the base units with their powers, in the order of their names."""

    factor: Fraction
    dimensions: Dimensions


class _UnknownUnit(Exception):
    pass


@functools.lru_cache(4096)
def measure_ucum(unit: str) -> Measure | None:
    """Return what a UCUM code measures; None for a text that is not one, or for an unknown unit."""
    if not unit or len(unit) > _MAX_LENGTH:
        return None
    try:
        found, end = _parse_term(unit, 0)
    except (_UnknownUnit, RecursionError):
        return None
    return found if end == len(unit) else None


def multiply_codes(one: str, other: str, power: int = 1) -> str | None:
    """Return the code of one unit times another to a power, each unit in it once: cm and cm2 give cm3.

    None for codes with numbers, annotations or brackets around them, which need no shorter form.
    """
    powers: dict[str, int] = {}
    for code, factor in ((one, 1), (other, power)):
        if code == "1":
            continue
        if len(code) > _MAX_LENGTH or not _PLAIN_CODE.fullmatch(code):
            return None
        for match in _PLAIN_PART.finditer(code):
            exponent = int(match[3] or 1) * (-factor if match[1] == "/" else factor)
            powers[match[2]] = powers.get(match[2], 0) + exponent
    above = ".".join(f"{code}{count if count > 1 else ''}" for code, count in powers.items() if count > 0)
    below = "".join(f"/{code}{-count if count < -1 else ''}" for code, count in powers.items() if count < 0)
    return f"{above}{below}" or "1"


def _parse_term(text: str, at: int) -> tuple[Measure, int]:
    total = Measure(Fraction(1), ())
    sign = 1
    if text[at : at + 1] == "/":
        sign, at = -1, at + 1
    while True:
        one, at = _parse_component(text, at)
        total = _multiply(total, one, sign)
        if text[at : at + 1] not in (".", "/"):
            return total, at
        sign, at = (1 if text[at] == "." else -1), at + 1


def _parse_component(text: str, at: int) -> tuple[Measure, int]:
    if text[at : at + 1] == "(":
        inner, at = _parse_term(text, at + 1)
        if text[at : at + 1] != ")":
            raise _UnknownUnit
        return inner, at + 1
    for pattern in (_ANNOTATION, _NUMBER):
        match = pattern.match(text, at)
        if match is not None:
            number = Fraction(match[1]) if pattern is _NUMBER else Fraction(1)
            if not number:
                raise _UnknownUnit
            return Measure(number, ()), match.end()
    match = _ATOM.match(text, at)
    if match is None or not match[1]:
        raise _UnknownUnit
    exponent = int(match[2] or 1)
    if abs(exponent) > _MAX_EXPONENT:
        raise _UnknownUnit
    return _multiply(Measure(Fraction(1), ()), _measure_atom(match[1]), exponent), match.end()


def _multiply(left: Measure, right: Measure, exponent: int) -> Measure:
    powers = dict(left.dimensions)
    for name, power in right.dimensions:
        powers[name] = powers.get(name, 0) + power * exponent
    found = tuple(sorted((name, power) for name, power in powers.items() if power))
    return Measure(left.factor * right.factor**exponent, found)


@functools.lru_cache(1024)
def _measure_atom(code: str) -> Measure:
    if code in ("10*", "10^"):
        return Measure(Fraction(10), ())
    for table in (_METRIC, _PLAIN):
        if code in table:
            return _measure_definition(code, table[code])
    for length in (1, 2):
        prefix, rest = code[:length], code[length:]
        if prefix in _PREFIXES and rest in _METRIC:
            base = _measure_definition(rest, _METRIC[rest])
            return Measure(base.factor * Fraction(10) ** _PREFIXES[prefix], base.dimensions)
    raise _UnknownUnit


def _measure_definition(code: str, definition: tuple[str, str] | None) -> Measure:
    if definition is None:
        return Measure(Fraction(1), ((code, 1),))
    number, of = definition
    inner, end = _parse_term(of, 0)
    if end != len(of):
        raise _UnknownUnit
    return Measure(Fraction(number) * inner.factor, inner.dimensions)
