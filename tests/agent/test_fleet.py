"""Fleet files: what they say, and what is said about wrong ones."""

from pathlib import Path

import pytest

from agent.config import ConfigError
from agent.fleet import load
from agent.samples import Host

TRACE = "timestamp,value\n2026-10-01 00:00:00,50\n2026-10-01 00:05:00,10\n"


def fleet_file(folder: Path, text: str) -> Path:
    (folder / "cpu.csv").write_text(TRACE)
    (folder / "bytes.csv").write_text("timestamp,value\n2026-10-01 00:00:00,3000\n2026-10-01 00:05:00,600\n")
    path = folder / "fleet.toml"
    path.write_text(text)
    return path


def test_a_machine_is_its_traces_and_sizes(tmp_path: Path) -> None:
    path = fleet_file(
        tmp_path,
        """
        from = 2026-10-01T00:00:00+02:00
        step = 60
        follow = true
        [[machine]]
        code = "web-1"
        cores = 8
        memory_mib = 1000
        memory_percent = 12.5
        disk_mib = 300
        cpu = "cpu.csv"
        net_rx = "bytes.csv"
        """,
    )

    fleet = load(path)

    assert (fleet.from_ms, fleet.to_ms, fleet.step_s, fleet.follow) == (1_790_805_600_000, None, 60, True)
    (member,) = fleet.members
    assert member.machine.host == Host(cores=8, memory_mib=1_000)
    sample = member.machine.sample(1_790_812_800_000, 1_790_812_860_000)
    assert (sample.cpu_ms, sample.memory_mib_ms, sample.disk_mib_ms) == (240_000, 7_500_000, 18_000_000)
    assert (sample.net_rx, sample.net_tx) == (600, 0)


def test_an_offset_moves_the_trace_in_time(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, '[[machine]]\ncode = "a"\ncores = 1\ncpu = "cpu.csv"\n[[machine]]\ncode = "b"\ncores = 1\n'
                                'cpu = "cpu.csv"\noffset_hours = 0.0833333333333\n')  # fmt: skip

    first, second = (member.machine.sample(1_790_812_800_000, 1_790_812_860_000).cpu_ms for member in load(path).members)

    assert (first, second) == (30_000, 6_000)


def test_a_machine_without_a_trace_is_constant(tmp_path: Path) -> None:
    path = fleet_file(tmp_path, '[[machine]]\ncode = "a"\ncores = 2\ncpu_percent = 2.5\nversion0 = true\nevery = 60\n')

    (member,) = load(path).members

    assert (member.machine.version0, member.every_ms) == (True, 60_000)
    assert member.machine.micro_percent(0, 60_000) == (2_500_000, 40_000_000)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "lists no"),
        ("[[machine]]\ncode = 'a'\n[[machine]]\ncode = 'a'\n", "lists machine a twice"),
        ("[[machine]]\ncode = 'A 1'\n", "code must be 1 to 63"),
        ("[[machine]]\ncode = 'a'\nram = 5\n", "machine a: unknown word ram. Known are: code, cores"),
        ("steps = 5\n[[machine]]\ncode = 'a'\n", "unknown word steps"),
        ("step = 0\n[[machine]]\ncode = 'a'\n", "step in .* must be whole seconds"),
        ("from = 'soon'\n[[machine]]\ncode = 'a'\n", "'soon' is not a time such as"),
        ("[[machine]]\ncode = 'a'\ncores = 0\n", "cores must be a whole number of 1 or more"),
        ("[[machine]]\ncode = 'a'\nmemory_percent = 101\n", "memory_percent must be a number from 0 to 100"),
        ("[[machine]]\ncode = 'a'\ncpu = 'bytes.csv'\n", "no value may be over 100"),
        ("[[machine]]\ncode = 'a'\ncpu = 'missing.csv'\n", "machine a: cannot read .*missing.csv"),
        ("[[machine\n", "is not TOML"),
        ("x = " + 2_000 * "[", "is not TOML"),
        ("machine = 3\n", r"machine in .* must be a table for each machine, under \[\[machine\]\]"),
        ("[machine]\ncode = 'a'\n", r"under \[\[machine\]\] in double brackets"),
        ("machine = [3]\n", r"under \[\[machine\]\] in double brackets"),
        ("[[machine]]\ncode = 5\n", "machine 5: code must be 1 to 63 .*, in quotes"),
        ("[[machine]]\ncode = ['a']\n", "code must be 1 to 63 .*, in quotes"),
        (
            "[[machine]]\ncode = 'a'\noffset_hours = 1e400\n",
            "machine a: offset_hours must be a number of hours, 1,000,000 at most",
        ),
        ("[[machine]]\ncode = 'a'\noffset_hours = nan\n", "offset_hours must be a number of hours"),
        ("[[machine]]\ncode = 'a'\noffset_hours = '30'\n", "offset_hours must be a number of hours"),
        ("[[machine]]\ncode = 'a'\nevery = 0\n", "every must be a whole number of 1 or more"),
        ("[[machine]]\ncode = 'a'\nevery = 'x'\n", "every must be a whole number of 1 or more"),
        ("[[machine]]\ncode = 'a'\nversion0 = 'yes'\n", "version0 must be true or false"),
        ("follow = 'yes'\n[[machine]]\ncode = 'a'\n", "follow in .* must be true or false"),
        ("step = true\n[[machine]]\ncode = 'a'\n", "step in .* must be whole seconds"),
        ("[[machine]]\ncode = 'a'\ncpu = 5\n", "cpu must be the path of a CSV file"),
        ("[[machine]]\ncode = 'a'\ncpu = ''\n", "cpu must be the path of a CSV file"),
        ("[[machine]]\ncode = 'a'\nmemory_percent = []\n", "memory_percent must be a number from 0 to 100"),
        ("[[machine]]\ncode = 'a'\nmemory_percent = 'x'\n", "memory_percent must be a number from 0 to 100"),
        ("[[machine]]\ncode = 'a'\nmovement = {}\n", "movement must be a whole number"),
        ("[[machine]]\ncode = 'a'\nmovement = 101\n", "movement must be a whole number of 100 at most"),
        ("[[machine]]\ncode = 'a'\ncores = 1e3\n", "cores must be a whole number"),
        ("from = 5\n[[machine]]\ncode = 'a'\n", "5 is not a time such as"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(fleet_file(tmp_path, text))


def test_another_trace_size_range_or_step_is_another_history(tmp_path: Path) -> None:
    base = "[[machine]]\ncode = 'a'\ncpu = 'cpu.csv'\n"
    one = load(fleet_file(tmp_path, base)).members[0].machine
    same = load(fleet_file(tmp_path, base)).members[0].machine
    larger = load(fleet_file(tmp_path, base + "cores = 5\n")).members[0].machine
    (tmp_path / "cpu.csv").write_text(TRACE + "2026-10-01 00:10:00,1\n")
    longer = load(tmp_path / "fleet.toml").members[0].machine

    streams = [machine.history_stream(0, 600_000, 60_000) for machine in (one, larger, longer)]
    streams += [one.history_stream(0, 600_000, 30_000), one.history_stream(1, 600_000, 60_000)]

    assert same.history_stream(0, 600_000, 60_000) == streams[0]
    assert len(set(streams)) == 5
