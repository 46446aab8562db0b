"""The agent is a program of its own: it runs where neither Django nor the server is installed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

AGENT = Path(__file__).parent.parent.parent / "agent"
ALLOWED = {"agent", "cryptography", "kafka", "psutil", *sys.stdlib_module_names}
ELSEWHERE = ["django", "accounts", "usage", "invoices", "billingsite", "rest_framework", "celery", "channels"]


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("file", sorted(AGENT.glob("*.py")), ids=lambda file: file.name)
def test_a_module_imports_only_what_the_agent_installs(file: Path) -> None:
    assert imported(file) <= ALLOWED


def test_its_requirements_are_what_it_imports() -> None:
    lines = (AGENT / "requirements.txt").read_text().split()

    assert sorted(line.split("==")[0].split(">=")[0] for line in lines) == ["crc32c", "cryptography", "kafka-python", "psutil"]


def test_every_command_loads_where_there_is_no_server() -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({ELSEWHERE}))"
    modules = "; ".join(f"import agent.{file.stem}" for file in AGENT.glob("*.py") if file.stem not in ("__main__", "__init__"))

    ran = subprocess.run([sys.executable, "-c", f"{blocked}; {modules}"], capture_output=True, text=True, cwd=AGENT.parent)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_kafka_is_not_loaded_before_there_is_something_to_send() -> None:
    script = "import sys, agent.cli, agent.service, agent.control; sys.exit('kafka' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], cwd=AGENT.parent).returncode == 0
