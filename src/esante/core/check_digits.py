"""Check digits of numbers: Verhoeff's, as of SNOMED CT, and Luhn's, as of LOINC; the matricule has both."""

from itertools import product


def _dihedral(a: int, b: int) -> int:
    """Return the product in the dihedral group of the pentagon: 0-4 are rotations, 5-9 reflections."""
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (0 if b >= 5 else 5)


def _position_table() -> list[list[int]]:
    """Return Verhoeff's permutation of the digits, applied 0 to 7 times."""
    step = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    rows = [list(range(10))]
    for _ in range(7):
        rows.append([step[digit] for digit in rows[-1]])
    return rows


_PRODUCT = {(a, b): _dihedral(a, b) for a, b in product(range(10), repeat=2)}
_INVERSE = {a: b for (a, b), result in _PRODUCT.items() if result == 0}
_POSITION = _position_table()


def verhoeff_digit(digits: str) -> str:
    """Return the check digit of `digits` by J. Verhoeff, "Error Detecting Decimal Codes" (1969)."""
    state = 0
    for position, digit in enumerate(reversed(digits), 1):
        state = _PRODUCT[state, _POSITION[position % 8][int(digit)]]
    return str(_INVERSE[state])


def luhn_digit(digits: str) -> str:
    """Return the check digit of `digits` by Luhn (ISO/IEC 7812-1, annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
