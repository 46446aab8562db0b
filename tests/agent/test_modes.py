"""When samples may go."""

import pytest

from agent.modes import Gate, Mode
from tests.agent.build import Time


@pytest.fixture
def time() -> Time:
    return Time()


def gate(mode: Mode, time: Time) -> Gate:
    """A gate that has just let everything out."""
    made = Gate(mode, monotonic=time.monotonic_s)
    made.emptied()
    return made


def opens_after(made: Gate, time: Time, limit_s: int = 4_000) -> int | None:
    for second in range(limit_s):
        if made.is_open():
            return second
        time.pass_ms(1_000)
    return None


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [
        (Mode(), 0),
        (Mode(every_s=10), 10),
        (Mode(above=True), 3_600),
        (Mode(demand=True), None),
        (Mode(paused=True), None),
        (Mode(every_s=10, paused=True), None),
    ],
)
def test_each_mode_opens_when_it_says(mode: Mode, seconds: int | None, time: Time) -> None:
    assert opens_after(gate(mode, time), time) == seconds


@pytest.mark.parametrize("mode", [Mode(demand=True), Mode(paused=True), Mode(above=True)])
def test_send_now_opens_any_mode_once(mode: Mode, time: Time) -> None:
    made = gate(mode, time)

    made.ask()
    assert made.is_open()
    made.emptied()
    assert not made.is_open()


def test_thresholds_open_above_and_close_well_below(time: Time) -> None:
    made = gate(Mode(above=True, cpu_percent=20, memory_percent=50), time)
    readings = [(19.9, 10), (20.0, 10), (16.0, 10), (15.0, 45.0), (14.9, 44.9), (19.0, 49.0), (0.0, 50.0)]

    opened = []
    for cpu, memory in readings:
        made.observe(cpu, memory)
        opened.append(made.is_open())

    assert opened == [False, True, True, True, False, False, True]


def test_a_low_threshold_is_quiet_again_too(time: Time) -> None:
    made = gate(Mode(above=True, cpu_percent=3, memory_percent=50), time)

    made.observe(4.0, 10)
    assert made.is_open()
    made.observe(1.5, 10)
    assert made.is_open()
    made.observe(1.4, 10)
    assert not made.is_open()


def test_a_fresh_agent_sends_what_waited_at_once(time: Time) -> None:
    assert Gate(Mode(every_s=3_600), monotonic=time.monotonic_s).is_open()


def test_a_mode_is_remembered_as_it_was() -> None:
    mode = Mode(every_s=30, above=True, cpu_percent=35, memory_percent=70, paused=True)

    assert Mode.from_json(mode.to_json()) == mode
    assert Mode.from_json(None) == Mode()
    assert Mode.from_json('{"from": "a later agent"}') == Mode()


@pytest.mark.parametrize("words", [{"every_s": 3_601}, {"every_s": -1}, {"cpu_percent": 101}, {"memory_percent": -1}])
def test_numbers_out_of_range_are_refused(words: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not -?[0-9]+"):
        Mode(**words)  # type: ignore[arg-type]
