"""Texts that lag behind the code fail here."""

import re
from pathlib import Path

from django.core.management import get_commands

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OWN = ("accounts", "usage", "invoices", "billingsite")


def _section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_readme_lists_exactly_the_settings_that_the_code_reads() -> None:
    code = (ROOT / "billingsite" / "settings.py").read_text()

    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", _section("Settings"), re.MULTILINE))

    assert listed == set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code))


def test_the_readme_names_every_command_of_ours() -> None:
    hidden = {"load_demo"}  # bin/up calls it.
    commands = {name for name, app in get_commands().items() if app in OWN}

    named = set(re.findall(r"manage\.py (\w+)", _section("Commands")))

    assert commands - hidden == named


def test_every_file_that_a_text_points_to_is_there() -> None:
    for text in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text.read_text()):
            assert (text.parent / target).exists(), f"{text.name} points to {target}"


def test_every_test_that_the_readme_names_is_there() -> None:
    for path in re.findall(r"`(tests/[\w/]+\.py)`", README):
        assert (ROOT / path).exists(), path


def test_nothing_names_a_path_of_one_machine() -> None:
    pattern = re.compile(r"/(?:home|Users)/\w+|/root/|/work/|/tmp/lab")
    suffixes = {".py", ".md", ".toml", ".html", ".js", ".css", ".yaml", ".txt", ".sh", ""}
    skipped = {"var", ".venv", ".git", "__pycache__", "build", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path in ROOT.rglob("*")
        if path.is_file()
        and path.suffix in suffixes
        and not skipped & set(path.relative_to(ROOT).parts)
        and path != Path(__file__)
        for hit in [pattern.search(path.read_text(errors="replace"))]
        if hit
    ]

    assert found == []
