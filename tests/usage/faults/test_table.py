"""The list of faults in docs/faults.md is the list of tests here."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = (HERE.parent.parent.parent / "docs" / "faults.md").read_text()


def test_each_fault_in_the_table_is_a_test_and_each_test_is_in_the_table() -> None:
    named = re.findall(r"^\|.*\| `(test_\w+)` \|$", TABLE, re.MULTILINE)

    files = [path for path in HERE.glob("test_*.py") if path != Path(__file__)]
    tests = {name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    assert len(named) == len(set(named))
    assert set(named) == tests
