"""The packaged requirements: what they name exists, and a file that says too little is refused."""

import ast
from pathlib import Path

import pytest

from esante.services.ehds.requirements.model import AREAS
from esante.services.ehds.requirements.requirement_file import parse_requirements, requirements

ROOT = Path(__file__).parents[4]
ARTICLE = """
[[article]]
id = "3"
title = { fr = "a", de = "a", en = "a", lb = "a" }
legal_source = "Article 3"
read = "none"
verified = false
applies_from = 2029-03-26
"""
TEXT = 'text = { fr = "a", de = "a", en = "a", lb = "a" }\n'


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_of_a_requirement_exists():
    named = {test for requirement, _ in requirements() for test in requirement.tests}
    missing = {
        test
        for test in named
        for path, _, name in [test.partition("::")]
        if not (ROOT / path).is_file() or name not in functions_of(ROOT / path)
    }
    assert missing == set()
    assert all(test.rpartition("::")[2].startswith("test_") for test in named)


def test_there_are_sixty_requirements_at_least_in_every_area_with_a_test_or_a_word_on_what_is_missing():
    found = [requirement for requirement, _ in requirements()]
    assert len(found) >= 60
    assert {one.area for one in found} == set(AREAS)
    assert all(bool(one.tests) != bool(one.missing) for one in found)


@pytest.mark.parametrize(
    ("requirement", "fault"),
    [
        (f'id = "1"\narticle = "4"\narea = "patients"\n{TEXT}tests = ["a::b"]', "no article 4"),
        (f'id = "1"\narticle = "3"\narea = "moon"\n{TEXT}tests = ["a::b"]', "no area moon"),
        ('id = "1"\narticle = "3"\narea = "patients"\ntext = { fr = "a" }\ntests = ["a::b"]', "lacks a language"),
        (f'id = "1"\narticle = "3"\narea = "patients"\n{TEXT}', "needs tests, or what is missing"),
        (f'id = "1"\narticle = "3"\narea = "patients"\n{TEXT}missing = {{ en = "a" }}', "needs tests"),
        (f'id = "1"\narticle = "3"\narea = "patients"\n{TEXT}tests = ["a::b", "a::b"]', "named twice"),
    ],
)
def test_requirement_that_says_too_little_is_refused(requirement, fault):
    with pytest.raises(ValueError, match=fault):
        parse_requirements(f"{ARTICLE}\n[[requirement]]\n{requirement}\n")


def test_two_requirements_of_one_id_are_refused():
    one = f'\n[[requirement]]\nid = "1"\narticle = "3"\narea = "patients"\n{TEXT}tests = ["a::b"]\n'
    assert len(parse_requirements(ARTICLE + one)) == 1
    with pytest.raises(ValueError, match="there are two of it"):
        parse_requirements(ARTICLE + one + one)
