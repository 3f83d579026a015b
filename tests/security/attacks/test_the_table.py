"""The table of attack classes in docs/security.md names every test of each class, and no other."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
CLASSES = range(1, 39)
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(test_\w+\.py|tests/[\w/]+\.py)`")


def rows() -> dict[int, tuple[str, str]]:
    """Name, and where it is tried or why not, of each class in the table."""
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    return {int(number): (name.strip(), where) for number, name, where in ROW.findall(text)}


def marked() -> dict[int, dict[str, set[str]]]:
    """By class the files that say `attack(number, name)`, and under which name."""
    found: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "attack":
                number, name = (ast.literal_eval(argument) for argument in node.args)
                found[number][path.name].add(name)
    return found


def test_every_class_is_in_the_table_once():
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    assert sorted(int(number) for number, *_ in ROW.findall(text)) == list(CLASSES)


def test_every_class_is_tried_or_has_a_reason():
    for number, (name, where) in rows().items():
        assert TEST.search(where) or re.match(r"(web|none)\b", where), f"{number} {name}"


def test_the_table_names_the_tests_and_the_tests_their_classes():
    tried = marked()
    for number, (name, where) in rows().items():
        named = {test for test in TEST.findall(where) if "/" not in test}
        assert named == set(tried.get(number, {})), f"{number} {name}"
        for file, names in tried.get(number, {}).items():
            assert names == {name}, file


def test_other_tests_that_the_table_names_exist():
    for number, (_, where) in rows().items():
        for test in TEST.findall(where):
            path = ROOT / test if "/" in test else HERE / test
            assert path.is_file(), f"{number}: {test}"


def test_every_attack_is_of_a_class():
    here = {path.name for path in HERE.glob("test_[0-9]*.py")}
    assert {file for files in marked().values() for file in files} >= here
