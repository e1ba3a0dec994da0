"""The table of conformance tests names tests that exist, at least one a row, and leaves none of the kit's out."""

import re

from stack.paths import ROOT

KIT = ROOT / "tests" / "miaop" / "conformance"
IDS = [f"T{number:02}" for number in range(1, 28)]


def rows() -> dict[str, tuple[str, str]]:
    """The tests of the kit and those beside it, as they are written, by the id of the row."""
    text = (ROOT / "docs" / "offline-task-api.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (T\d\d) \|[^|]*\|([^|]*)\|([^|]*)\|$", text, re.MULTILINE)
    return {row: (kit, beside) for row, kit, beside in found}


def defined_in(*paths) -> set[str]:
    return {name for path in paths for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)}


def test_each_row_names_tests_of_the_kit_and_each_of_these_stands_in_its_rows():
    listed = {row: set(re.findall(r"`(\w+)`", kit)) for row, (kit, _beside) in rows().items()}
    assert sorted(listed) == IDS
    assert all(listed.values())
    there = defined_in(*KIT.glob("test_*.py"))
    assert set().union(*listed.values()) - there == set()
    wanted = {(f"T{number}", name) for name in there for number in re.findall(r"_t(\d\d)(?=_)", name)}
    assert {(row, name) for row, name in wanted if name not in listed[row]} == set()


def test_the_tests_named_beside_the_kit_exist():
    named = [name for _kit, beside in rows().values() for name in re.findall(r"`(\S+)::(\w+)`", beside)]
    assert named
    assert [(path, test) for path, test in named if test not in defined_in(ROOT / path)] == []
