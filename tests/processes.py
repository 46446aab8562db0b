"""Real processes on the test's own database and broker: what a kill or a restart does is tried, not argued."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).parent.parent


def database_url() -> str:
    """The DATABASE_URL under which another process finds this test's database."""
    options = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{options['NAME']}"
    password = f":{quote(options['PASSWORD'])}" if options["PASSWORD"] else ""
    return f"postgres://{quote(options['USER'])}{password}@{options['HOST']}:{options['PORT']}/{options['NAME']}"


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, pointed at the test's database."""
    return {**os.environ, "DATABASE_URL": database_url(), "SECRET_KEY": "of no use after the test", **changes}


def manage(*arguments: str, **changes: str) -> subprocess.Popen[str]:
    """Start a management command. Changes go into its environment."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
