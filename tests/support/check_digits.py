"""Check digits by their definitions."""

# The symmetries of a pentagon as permutations of its corners: 0-4 rotate it, 5-9 reflect and rotate it.
SYMMETRIES = [tuple((corner + turn) % 5 for corner in range(5)) for turn in range(5)] + [
    tuple((turn - corner) % 5 for corner in range(5)) for turn in range(5)
]


def composed(first, second):
    return SYMMETRIES.index(tuple(SYMMETRIES[first][SYMMETRIES[second][corner]] for corner in range(5)))


def permuted(digit, times):
    """Verhoeff's permutation, written as its cycles, applied `times` times."""
    cycles = ([0, 1, 5, 8, 9, 4, 2, 7], [3, 6])
    cycle = next(cycle for cycle in cycles if digit in cycle)
    return cycle[(cycle.index(digit) + times) % len(cycle)]


def verhoeff_holds(digits):
    """The check by its definition: the product of all permuted digits is the identity."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = composed(state, permuted(int(digit), place))
    return state == 0


def luhn_holds(digits):
    """The check by its definition: from the right every second digit is doubled, and its digits are added."""
    total = sum(int(d) for d in digits[-1::-2])
    total += sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return total % 10 == 0
