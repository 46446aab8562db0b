"""The command line of the benchmarks: figures on standard output, progress on standard error.

The exit code is 1 where a part is missing, and where what should hold does not.
"""

import argparse
import json
import sys
from types import ModuleType

from benchmarks import (
    agent_chaos,
    agents,
    api,
    chaos,
    footprint,
    forgery,
    fuzz,
    ingest,
    invoices,
    latency,
    live,
    memory,
    pages,
    sockets,
    window,
    year,
)
from benchmarks.programs import BenchmarkError
from billingsite.broker import BrokerError
from tests.postgres import PostgresMissing

BENCHMARKS: dict[str, ModuleType] = {
    "agents": agents,
    "agent-chaos": agent_chaos,
    "api": api,
    "footprint": footprint,
    "window": window,
    "ingest": ingest,
    "latency": latency,
    "memory": memory,
    "chaos": chaos,
    "fuzz": fuzz,
    "forgery": forgery,
    "live": live,
    "sockets": sockets,
    "pages": pages,
    "invoices": invoices,
    "year": year,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this machine with real parts.")
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, module in BENCHMARKS.items():
        chosen = names.add_parser(name, help=(module.__doc__ or "").split(":")[0], description=module.__doc__)
        chosen.add_argument("--json", action="store_true", help="print the figures as JSON")
        module.add_arguments(chosen)
    options = parser.parse_args(arguments)
    module = BENCHMARKS[options.name]
    try:
        figures = module.measure(options)
    except (BenchmarkError, BrokerError, PostgresMissing) as error:
        print(f"{options.name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.name}: stopped", file=sys.stderr)
        return 130
    print(json.dumps(figures, indent=2) if options.json else module.text(figures))
    return 1 if figures.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
