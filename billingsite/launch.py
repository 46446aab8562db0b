"""Brings up the whole product on this machine, in order, and takes all of it down again: what `bin/up` hands over to."""

import argparse
import errno
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from billingsite import surroundings
from billingsite.programs import ROOT
from billingsite.progress import say, step
from billingsite.startup import Startup
from billingsite.surroundings import Mishap


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    os.umask(0o077)  # Usage, sessions and logs are nobody else's to read.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = Path(os.environ.get("COREHOUR_DATA_DIR") or ROOT / "var").absolute()
    try:
        with surroundings.only_one(folder):
            return run(folder, options)
    except Mishap as mishap:
        return _complain(str(mishap))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _complain(
            f"The disk that holds {folder} is full. Free some space, or set COREHOUR_DATA_DIR to a folder on another disk."
        )
    except KeyboardInterrupt:
        return 130


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/up", description="Start all of Corehour on this machine, with demo customers and machines."
    )
    parser.add_argument(
        "--check", action="store_true", help="start, check the result from end to end, stop; exit 0 if all is well"
    )
    parser.add_argument("--reset", action="store_true", help="first forget what earlier starts kept in the data folder")
    return parser.parse_args(arguments)


def run(folder: Path, options: argparse.Namespace) -> int:
    began = time.monotonic()
    if options.reset:
        surroundings.forget(folder)
    surroundings.refuse_full_disk(folder)
    shared = surroundings.environment(folder, os.environ)
    os.environ.update(shared)
    surroundings.leave_settings(folder, shared)
    startup = Startup(folder)
    try:
        startup.run()
        say(f"\nUp after {time.monotonic() - began:.0f} s.")
        if options.check:
            from billingsite import selfcheck

            return selfcheck.run(startup)
        return stay(startup)
    finally:
        with step("Stopping everything"):
            startup.stop()


def stay(startup: Startup) -> int:
    """Show the way in, then watch until somebody stops us or a program falls."""
    say(startup.welcome())
    while True:
        startup.refuse_fallen()
        time.sleep(0.5)


def _complain(text: str) -> int:
    print(f"\ncorehour: {text}", file=sys.stderr)
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """The first signal stops everything; another one must not interrupt that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    say("")
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
