"""The oracle at full size: `python -m tests.invoices.many_quotes`: 100,000 quotes in slices, each a process with its own seed.

One long run of hypothesis grows with all that it has seen; slices take the same time each, and one that fails names its seed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

TEST = "tests/invoices/test_quote_properties.py"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Compare many quotes with the oracle.")
    parser.add_argument("--slices", type=int, default=40, help="how many (40)")
    parser.add_argument("--examples", type=int, default=2_500, help="quotes in each (2500)")
    parser.add_argument("--first", type=int, default=1, help="the first seed, to go on where a run ended (1)")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="at a time (one a core)")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    failed = _run(range(options.first, options.first + options.slices), options.examples, options.processes)
    tried = (options.slices - len(failed)) * options.examples
    print(f"{tried:,} quotes agree; seeds that differ: {failed or 'none'}; {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _run(seeds: Iterable[int], examples: int, processes: int) -> list[int]:
    """Return the seeds whose slice failed."""
    with ThreadPoolExecutor(processes) as pool:
        return [seed for seed, agreed in pool.map(lambda seed: (seed, _agrees(seed, examples)), seeds) if not agreed]


def _agrees(seed: int, examples: int) -> bool:
    """Run one slice and say how it ended; with all that pytest said where it failed."""
    command = [sys.executable, "-m", "pytest", "-q", TEST, "-k", "agrees", f"--hypothesis-seed={seed}", "-p", "no:cacheprovider"]
    env = {**os.environ, "COREHOUR_EXAMPLES": str(examples)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    said = (done.stdout.strip() + done.stderr).splitlines() or ["nothing said"]
    print(f"seed {seed}:", "\n".join(said if done.returncode else said[-1:]), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
