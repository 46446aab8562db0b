"""What a signing agent itself takes of the machine that it meters: its CPU time and memory over a while, as psutil sees them."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from agent import keys
from benchmarks.facts import facts, facts_text
from benchmarks.places import Place, place, say
from benchmarks.programs import ROOT, BenchmarkError, environment, last_words
from billingsite.broker import ensure_topic

TOPIC = "footprint"
WARM_UP_S = 15.0
LOOK_EVERY_S = 1.0
MOST_CPU_PERCENT, MOST_RSS_MIB = 0.5, 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to look (60)")
    parser.add_argument("--interval", type=int, default=5, help="seconds that a sample covers (5)")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with place() as where, tempfile.TemporaryFile("w+") as log:
        ensure_topic(where.bootstrap, TOPIC)
        agent = _agent(where, options.interval, log)
        try:
            say(f"watching an agent for {options.minutes:g} minutes")
            figures = _watch(psutil.Process(agent.pid), options.minutes * 60)
        except psutil.Error as error:
            log.seek(0)
            raise BenchmarkError(f"The agent ended: {last_words(log.read())}") from error
        finally:
            agent.terminate()
            agent.wait(20)
    return {"machine": facts([]), "interval_s": options.interval, **figures, "failed": _failed(figures)}


def _agent(where: Place, interval: int, log: Any) -> subprocess.Popen[bytes]:
    flags = ["--machine", "m-0", "--interval", str(interval), "--bootstrap", where.bootstrap, "--topic", TOPIC]
    state = Path(where.folder) / "agent"
    keys.keep(keys.generate(), state / "m-0" / keys.KEY_FILE)  # As an enrolled machine's: it signs what it sends.
    flags += ["--state-dir", str(state)]
    command = [sys.executable, "-m", "agent", "run", *flags]
    return subprocess.Popen(command, cwd=ROOT, env=environment(where.folder), stdout=log, stderr=log)


def _watch(agent: psutil.Process, seconds: float) -> dict[str, float]:
    """The agent's own figures after its start, which loads the libraries once."""
    time.sleep(WARM_UP_S)
    started, before = time.monotonic(), sum(agent.cpu_times()[:2])
    most_rss = 0
    while time.monotonic() - started < seconds:
        most_rss = max(most_rss, agent.memory_info().rss)
        time.sleep(LOOK_EVERY_S)
    used = sum(agent.cpu_times()[:2]) - before
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_percent_of_a_core": round(100 * used / (time.monotonic() - started), 3),
        "most_rss_mib": round(most_rss / 2**20, 1),
    }


def _failed(figures: dict[str, float]) -> list[str]:
    limits = {"cpu_percent_of_a_core": MOST_CPU_PERCENT, "most_rss_mib": MOST_RSS_MIB}
    return [name for name, most in limits.items() if figures[name] >= most]


def text(figures: dict[str, Any]) -> str:
    return (
        f"{facts_text(figures['machine'])}\nOne agent, a sample in {figures['interval_s']} s, over {figures['seconds']:g} s: "
        f"{figures['cpu_percent_of_a_core']} % of a core (limit {MOST_CPU_PERCENT}), "
        f"at most {figures['most_rss_mib']} MiB (limit {MOST_RSS_MIB:g})"
    )
