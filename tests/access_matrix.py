"""The access matrix: every address, socket and admin action against everybody, as lines that a person can review.

`python -m tests.access_matrix --write` writes tests/data/access/*.txt anew. Read the difference before you commit it:
a line is a decision. tests/billingsite/test_access.py compares.
"""

import os
import subprocess
import sys

WRITE = "COREHOUR_WRITE_ACCESS"


def main(arguments: list[str]) -> int:
    if arguments != ["--write"]:
        print(__doc__)
        return 2
    command = [sys.executable, "-m", "pytest", "-q", "tests/billingsite/test_access.py", "-k", "reviewed"]
    return subprocess.call(command, env={**os.environ, WRITE: "1"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
