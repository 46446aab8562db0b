"""Violence against an agent, and its machine's bill beside that of an undisturbed one which did the same work.

Killed, cut off, swallowed by the network, its clock set, its disk filled, its machine rebooted. The exit code is 1 unless the
bills are equal but for the gaps that the agent itself declares, to the millisecond.
"""

import argparse
import contextlib
import json
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.chaos_verdict import found_of, lines_of
from benchmarks.facts import facts, facts_text
from benchmarks.patient import Patient, faked_clock, fill, make_room, small_disk
from benchmarks.places import place_behind_a_proxy, say
from benchmarks.programs import BenchmarkError, Program, environment, running
from benchmarks.site import part, site
from benchmarks.toil import Toil
from billingsite.broker import ensure_topic
from billingsite.kafka_node import HOST, free_ports
from tests.agent.fault_proxy import Proxy, proxy

TOPIC = "agent-chaos"
CALM, STORM = "calm", "storm"
NETWORK = ("open", "hole", "cut")
HOUR_MS = 3_600_000
CLOCK_MS = (0, HOUR_MS, -HOUR_MS, 0)
LEAST_REFUSED = 3
TRIES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=50, help="SIGKILLs of the agent (50)")
    parser.add_argument("--seed", type=int, default=1, help="which decides what the machines do (1)")


@dataclass
class Storm:
    """What is done, and to whom."""

    calm: Patient
    storm: Patient
    toil: Toil
    networks: tuple[Proxy, ...]
    chance: random.Random

    def weather(self, mode: str) -> None:
        for network in self.networks:
            network.set(mode)

    def set_clock(self, by_ms: int) -> None:
        """By libfaketime where that is installed, else by what the machine's file says."""
        machine = self.toil.files[STORM]
        if faked_clock(machine):
            machine.with_suffix(".clock").write_text(f"{by_ms // 1000:+d}")
        else:
            self.toil.set(STORM, clock_ms=by_ms)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    with _scene(options.seed) as (storm, twins, disk):
        acts = _rage(storm, options.kills, disk)
        said = storm.storm.status()
        written = {patient.name: _quiet_end(patient) for patient in (storm.calm, storm.storm)}
        say("judging")
        twins.tell(json.dumps(written))
        found = found_of(twins.answer(), said, storm.toil, written)
    figures = {"machine": facts(["SQLite"]), "seed": options.seed, "seconds": round(time.monotonic() - began)}
    return figures | {"acts": acts, "written": written, **found}


@contextlib.contextmanager
def _scene(seed: int) -> Iterator[tuple[Storm, Program, Path | None]]:
    """Two agents at work, their server, and a network to one of them."""
    with place_behind_a_proxy() as (where, network), contextlib.ExitStack() as stack:
        ensure_topic(where.bootstrap, TOPIC)
        env = environment(
            where.folder,
            DATABASE_URL=f"sqlite:///{where.folder / 'chaos.sqlite3'}",
            KAFKA_BOOTSTRAP_SERVERS=where.bootstrap,
            KAFKA_GROUP=f"bench-{uuid.uuid4().hex}",
            USAGE_TOPIC=TOPIC,
            USAGE_REQUIRE_SIGNATURE="1",
        )
        twins = stack.enter_context(running("twins", CALM, STORM, env=env))
        tokens = twins.answer()
        served = stack.enter_context(site(where.folder, env)).address
        stack.enter_context(part(where.folder, "worker", ["manage", "consume_usage"], env))
        web = stack.enter_context(proxy(free_ports(1)[0], int(served.rsplit(":", 1)[1])))
        toil = Toil(where.folder, (CALM, STORM), seed)
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ch-")))
        disk = stack.enter_context(small_disk(state / "disk"))
        calm = _patient(stack, CALM, toil, state / "calm", where.bootstrap)
        stormy = _patient(stack, STORM, toil, state / "disk", f"{HOST}:{network.port}")
        calm.enrol(served, tokens[CALM])
        stormy.enrol(f"http://{HOST}:{web.port}", tokens[STORM])
        yield Storm(calm, stormy, toil, (network, web), random.Random(seed)), twins, disk


def _patient(stack: contextlib.ExitStack, name: str, toil: Toil, state: Path, bootstrap: str) -> Patient:
    env = environment(toil.files[name].parent, COREHOUR_AGENT_STATE_DIR=str(state), COREHOUR_AGENT_INTERVAL="1")
    patient = Patient(name, toil.files[name], env | {"KAFKA_BOOTSTRAP_SERVERS": bootstrap})
    stack.callback(patient.end)
    return patient


def _rage(on: Storm, kills: int, disk: Path | None) -> dict[str, Any]:
    for patient in (on.calm, on.storm):
        patient.start()
        patient.await_status(lambda said: said["written"] and said["clock_ahead_ms"] == 0)
    on.toil.start()
    on.storm.await_samples(2)
    on.storm.kill()
    for turn in range(1, kills):
        _one_life(on, turn)
        if turn % 10 == 0:
            say(f"{turn} of {kills} kills")
    on.weather("open")
    on.set_clock(0)
    if disk is not None:
        say("filling the disk")
        _full_disk(on, disk)
    say("rebooting")
    _reboot(on)
    return {"kills": kills, "clock": "libfaketime" if faked_clock(on.toil.files[STORM]) else "injected", "disk": disk is not None}


def _one_life(on: Storm, turn: int) -> None:
    on.weather(NETWORK[turn % len(NETWORK)])
    on.set_clock(CLOCK_MS[turn % len(CLOCK_MS)])
    on.storm.start()
    on.storm.await_samples(on.chance.randint(1, 2))
    on.set_clock(CLOCK_MS[(turn + 1) % len(CLOCK_MS)])  # Under its hands.
    on.storm.await_samples(1)
    on.storm.kill()
    time.sleep(on.chance.uniform(0.0, 0.5))  # While no agent runs the machine goes on.


def _full_disk(on: Storm, disk: Path) -> None:
    on.storm.start()
    on.storm.await_samples(1)
    on.storm.stop()  # So that its write-ahead log begins anew, and needs room at once.
    on.storm.start()
    on.storm.await_samples(1)
    fill(disk)
    on.storm.await_status(lambda said: sum(gap[2] for gap in said["gaps"]) >= LEAST_REFUSED)
    make_room(disk)
    on.storm.await_samples(2)
    on.storm.kill()


def _reboot(on: Storm) -> None:
    """The counters begin anew: what was used since the last sample nobody knows."""
    time.sleep(0.5)
    on.toil.set(STORM, cpu_ms=0, net_rx=0, boot="b2")
    on.storm.start()
    on.storm.await_samples(2)
    on.toil.stop()
    for patient in (on.calm, on.storm):
        patient.await_samples(2)  # All that was used is in a sample now.
        patient.await_status(lambda said: said["waiting"] == 0)


def _quiet_end(patient: Patient) -> int:
    """Stop the agent once it has sent all. Return how many samples it has written."""
    for _ in range(TRIES):
        patient.stop()
        written, waiting = patient.written()
        if not waiting:
            return written
        patient.start()
        patient.await_samples(1)
        patient.await_status(lambda said: said["waiting"] == 0)
    raise BenchmarkError(f"{patient.name} does not get rid of its last sample")


def text(figures: dict[str, Any]) -> str:
    acts = figures["acts"]
    return "\n".join(
        [
            facts_text(figures["machine"]),
            f"seed {figures['seed']}, {figures['seconds']} s: {acts['kills']} kills, the network open, a hole and cut by turns, "
            f"the clock an hour ahead and behind ({acts['clock']}), "
            f"{'the disk filled' if acts['disk'] else 'THE DISK NOT FILLED: only root may mount one'}, a reboot",
            *lines_of(figures),
        ]
    )
