"""Runs a benchmark as a person does."""

import os
import subprocess
import sys
from pathlib import Path

# The engine of the test run that this belongs to: each is tried once.
ENGINE = "postgres" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite"
ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m benchmarks` to its end. Changes go into its environment."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **changes}, capture_output=True, text=True, timeout=240, check=False
    )
