"""Thousands of requests made up from the API's description, as each kind of asker: `python -m tests.any_request [--cases 20000]`.

It runs tests/billingsite/test_any_request.py with more cases than CI does. The seed is the same each time, so what is found
is found again.
"""

import argparse
import os
import subprocess
import sys

CASES = "COREHOUR_CASES"
FEW = 500  # One right and one wrong request for each operation and asker: what CI has time for.


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.any_request", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="requests in all (20,000)")
    options, others = parser.parse_known_args()
    command = [sys.executable, "-m", "pytest", "-q", "-rP", "tests/billingsite/test_any_request.py", *others]
    return subprocess.call(command, env={**os.environ, CASES: str(options.cases)})


if __name__ == "__main__":
    sys.exit(main())
