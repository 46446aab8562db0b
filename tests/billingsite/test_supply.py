"""What is installed is what was pinned: the lock agrees with the requirements, and the bill of materials with the lock."""

import re
from pathlib import Path

from billingsite.bill_of_materials import document, locked, normal

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
HOW = "Run: uv pip compile requirements.txt --universal --python-version 3.11 --generate-hashes -o requirements.lock"


def _pins(text: str) -> dict[str, str]:
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE)}


def test_the_lock_holds_every_requirement_as_pinned() -> None:
    packages = locked(LOCK)

    pins = _pins((ROOT / "requirements.txt").read_text())

    assert {name: packages.get(name, ("missing",))[0] for name in pins} == pins, HOW


def test_every_file_that_may_be_installed_has_a_hash() -> None:
    packages = locked(LOCK)

    assert len(packages) > 60
    assert [name for name, (_, digests) in packages.items() if not digests] == []
    assert "://" not in LOCK


def test_the_bill_names_every_package_of_the_lock_and_is_the_same_each_time() -> None:
    packages = locked(LOCK)

    bill = document(packages)

    assert {part["name"]: part["version"] for part in bill["components"]} == {
        name: version for name, (version, _) in packages.items()
    }
    django = next(part for part in bill["components"] if part["name"] == "django")
    assert django["purl"] == f"pkg:pypi/django@{packages['django'][0]}"
    assert len(django["hashes"]) >= 1
    assert django["licenses"]
    assert bill == document(packages)


def test_a_line_without_a_hash_is_seen() -> None:
    assert locked("good==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\nbad==2.0\n") == {
        "good": ("1.0", ["a" * 64]),
        "bad": ("2.0", []),
    }
