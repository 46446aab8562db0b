"""Recorded machines on a real topic: sent again they are the same, cut otherwise they hold the same, and following goes on."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from agent.cli import main
from agent.config import ConfigError
from agent.fleet import member
from agent.publisher import Broker, Publisher
from agent.replay import History, Player, Span
from agent.spool import Spool
from tests.agent.broker_side import Record, await_true, records, samples

pytestmark = pytest.mark.kafka
TRACE = "timestamp,value\n2026-10-01 00:00:00,51.846000000000004\n2026-10-01 00:05:00,44.508\n2026-10-01 00:10:00,0.07\n"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "cpu.csv"
    path.write_text(TRACE)
    return path


@pytest.mark.usefixtures("agent_environment")
def test_a_history_sent_twice_is_all_duplicates(kafka_bootstrap: str, topic: str, trace: Path) -> None:
    command = ["replay", str(trace), "--machine", "web-1", "--cores", "8", "--step", "1"]

    assert main(command) == 0
    once = samples(records(kafka_bootstrap, topic))
    assert main(command) == 0
    twice = records(kafka_bootstrap, topic)

    assert samples(twice) == once
    assert sum(len(record.body["samples"]) for record in twice) == 2 * len(once) == 1_800
    assert {(machine, seq) for machine, _, seq in once} == {("web-1", seq) for seq in range(900)}


@pytest.mark.usefixtures("agent_environment")
def test_the_same_trace_at_1_5_and_60_seconds_holds_the_same(kafka_bootstrap: str, topic: str, trace: Path) -> None:
    for step in ("1", "5", "60"):
        assert main(["replay", str(trace), "--machine", f"step-{step}", "--from", "2026-11-01", "--to", "2026-11-01T01:00:00",
                     "--step", step, "--movement", "20"]) == 0  # fmt: skip

    cpu_ms, covered_ms = Counter[str](), Counter[str]()
    for (machine, _, _), sample in samples(records(kafka_bootstrap, topic)).items():
        cpu_ms[machine] += sample["cpu_ms"]
        covered_ms[machine] += sample["end"] - sample["start"]

    assert set(covered_ms.values()) == {3_600_000}
    # Four rounds of (51.846 + 44.508 + 0.07) percent of 4 cores for 300 s: 4 x 1,157,088 core-ms.
    assert cpu_ms == {"step-1": 4_628_352, "step-5": 4_628_352, "step-60": 4_628_352}


FLEET = """
from = {start}
step = 300
live_step = 1
follow = true
[[machine]]
code = "web-1"
cpu = "cpu.csv"
[[machine]]
code = "old-1"
version0 = true
every = 2
cpu = "cpu.csv"
"""


def follow(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "agent", "replay", "--fleet", str(path)]
    return subprocess.Popen(command, env=os.environ.copy(), stderr=subprocess.PIPE)


def version0(found: list[Record]) -> list[int]:
    return sorted(record.timestamp_ms for record in found if record.key == "old-1")


def live(found: list[Record]) -> list[tuple[int, int]]:
    """Samples of the machine's real-time stream, in order."""
    spans = [(s["start"], s["end"]) for s in samples(found).values() if s["end"] - s["start"] < 300_000]
    return sorted(spans)


@pytest.mark.usefixtures("agent_environment")
def test_following_goes_on_where_it_was_killed_and_sends_no_history_twice(
    kafka_bootstrap: str, topic: str, trace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fleet.toml"
    start_s = int(time.time()) - 3_600
    path.write_text(FLEET.format(start=f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(start_s))}"))

    def seen() -> list[Record]:
        return records(kafka_bootstrap, topic)

    first = follow(path)
    await_true(lambda: len(live(seen())) >= 2)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = len(live(seen()))
    second = follow(path)
    await_true(lambda: len(live(seen())) >= before + 2)
    second.send_signal(signal.SIGTERM)
    second.communicate()

    assert second.returncode == 0
    found = seen()
    spans = sorted((s["start"], s["end"]) for s in samples(found).values())
    assert spans[0][0] == start_s * 1_000
    assert all(earlier[1] == later[0] for earlier, later in zip(spans, spans[1:], strict=False))  # No hole, no overlap.
    assert len({stream for _, stream, _ in samples(found)}) == 2
    times = version0(found)
    distinct = sorted(set(times))
    assert len(distinct) >= 1_800
    assert {later - earlier for earlier, later in zip(distinct, distinct[1:], strict=False)} == {2_000}
    assert len(times) - len(distinct) <= 1  # SIGKILL between the broker's taking one and its answer.


def test_a_history_that_was_cut_short_goes_on_under_its_first_identity(trace: Path, tmp_path: Path) -> None:
    machine = member({"code": "web-1", "cpu": str(trace)}).machine
    histories = []

    for now_ms in (600_000, 900_000):  # "Up to now" is another time at each start.
        player = Player(Publisher(Broker("127.0.0.1:1", "usage")), tmp_path / "state")
        player.add_following(machine, Span(0, now_ms, 60_000), 1_000)
        assert isinstance(player.outboxes[0], History)
        histories.append((player.outboxes[0].stream, player.outboxes[0].total, player.followers[0]._end_ms))
        player._close()

    assert histories[0] == histories[1] == (machine.history_stream(0, 600_000, 60_000), 10, 600_000)


def test_recorded_usage_does_not_go_among_what_an_agent_measured(trace: Path, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "web-1" / "spool.sqlite3")
    spool.remember("carried", "how the counters stood")
    spool.close()
    player = Player(Publisher(Broker("127.0.0.1:1", "usage")), tmp_path)
    recorded = member({"code": "web-1", "cpu": str(trace)}).machine

    with pytest.raises(ConfigError, match="holds what an agent measured on this machine"):
        player.add_following(recorded, Span(0, 600_000, 60_000), 1_000)
    player._close()


def test_mistakes_on_the_command_line_are_named(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = [
        (["replay"], "name a trace FILE and its --machine, or a --fleet"),
        (["replay", str(trace)], "no machine code"),
        (["replay", str(trace), "--machine", "a", "--from", "2026-02-02", "--to", "2026-02-01"], "from lies after to"),
        (["replay", str(trace), "--machine", "a", "--step", "0"], "--step must be whole seconds from 1 to 3600, not 0"),
        (["replay", "missing.csv", "--machine", "a"], "missing.csv"),
    ]
    for arguments, complaint in cases:
        assert main(arguments) == 2
        assert complaint in capsys.readouterr().err
