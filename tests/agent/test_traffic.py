"""The mode decides how much goes over the network, never what is billed."""

import json
from pathlib import Path

import pytest

from agent.modes import Gate, Mode
from agent.outbox import Outbox
from agent.service import percentages
from agent.spool import Spool
from tests.agent.build import HOST, T0, Time, sample

HOUR_OF_SAMPLES = 720
BUSY = range(300, 360)  # Five minutes above 20 % of eight cores.


def an_hour(mode: Mode, folder: Path) -> tuple[int, int, int]:
    """Messages, bytes and core-ms that an hour of samples every five seconds sends, with what is left sent at its end."""
    time, spool = Time(), Spool(folder / "spool.sqlite3")
    outbox, gate = Outbox("web-1", spool), Gate(mode, monotonic=time.monotonic_s)
    gate.emptied()
    sent: list[bytes] = []
    for number in range(HOUR_OF_SAMPLES + 1):
        if number == HOUR_OF_SAMPLES:
            gate.ask()
        else:
            measured = sample(number, cpu_ms=12_000 if number in BUSY else 400)
            spool.append(HOST, [measured])
            gate.observe(*percentages(HOST, measured))
            time.pass_ms(5_000)
        if gate.is_open():
            messages = outbox.collect()
            outbox.settle([True] * len(messages))
            sent += [message.value for message in messages]
            gate.emptied()
    core_ms = sum(entry["cpu_ms"] for value in sent for entry in json.loads(value)["samples"])
    return len(sent), sum(map(len, sent)), core_ms


@pytest.mark.parametrize(
    ("mode", "messages", "most_kb"),
    [
        (Mode(), 720, 220),
        (Mode(every_s=60), 60, 135),
        (Mode(above=True), 62, 130),  # 60 while busy, what was quiet before in the first of them, the rest at the end.
        (Mode(demand=True), 2, 115),
        (Mode(paused=True), 2, 115),
    ],
)
def test_an_hour_in_each_mode(mode: Mode, messages: int, most_kb: int, tmp_path: Path) -> None:
    sent, size, core_ms = an_hour(mode, tmp_path)

    assert abs(sent - messages) <= 1
    assert size < most_kb * 1_000
    assert core_ms == 660 * 400 + 60 * 12_000


def test_a_full_hour_is_there_to_be_sent() -> None:
    assert sample(HOUR_OF_SAMPLES - 1).end_ms == T0 + 3_600_000
