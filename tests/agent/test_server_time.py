"""A machine whose clock is wrong stamps its samples by the server's, through restarts and whatever is done to the clock."""

import pytest

from agent.sampler import Clock, Sampler
from agent.server_time import ServerTime
from tests.agent.build import T0, Time, reading
from tests.agent.test_sampler import Machine

HOUR_MS = 3_600_000


class Notes(dict[str, str]):
    """What a spool remembers."""

    def remember(self, name: str, value: str) -> None:
        self[name] = value

    def recall(self, name: str) -> str | None:
        return self.get(name)


def server_time(time: Time, notes: Notes | None = None, boot: str = "b1") -> ServerTime:
    made = ServerTime(lambda: time.wall_ms * 1_000_000, lambda: time.monotonic_ms)
    made.keep_in(Notes() if notes is None else notes, boot)
    return made


def test_a_clock_that_is_nearly_right_is_its_own_judge() -> None:
    time = Time()
    right = server_time(time)

    right.learn(T0 - 4_000)

    assert (right.ahead_ms(), right.wall_ms()) == (0, T0)


@pytest.mark.parametrize("off_ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_that_is_wrong_is_put_right_and_how_far_it_is_off_is_said(off_ms: int) -> None:
    time = Time()
    right = server_time(time)

    right.learn(T0 - off_ms)
    time.pass_ms(60_000)

    assert (right.ahead_ms(), right.wall_ms()) == (off_ms, T0 - off_ms + 60_000)


def test_a_clock_that_is_set_wrong_later_changes_no_stamp() -> None:
    time = Time()
    right = server_time(time)
    right.learn(T0)

    time.wall_ms += HOUR_MS
    time.pass_ms(5_000)

    assert right.wall_ms() == T0 + 5_000


def test_answers_that_name_the_second_only_do_not_make_time_jump() -> None:
    time = Time()
    right = server_time(time)
    right.learn(T0 - HOUR_MS)

    time.pass_ms(60_000)
    right.learn(T0 - HOUR_MS + 60_900)

    assert right.wall_ms() == T0 - HOUR_MS + 60_000


def test_it_is_known_after_a_restart_but_not_after_a_reboot() -> None:
    time, notes = Time(), Notes()
    server_time(time, notes).learn(T0 - HOUR_MS)
    time.pass_ms(10_000)

    assert server_time(time, notes, boot="b1").wall_ms() == T0 - HOUR_MS + 10_000
    assert server_time(time, notes, boot="b2").wall_ms() == T0 + 10_000


def test_what_was_measured_before_the_time_was_known_is_stamped_right() -> None:
    time, machine = Time(), Machine()
    right = server_time(time)
    sampler = Sampler(machine, Clock(right.wall_ns, lambda: time.monotonic_ms * 1_000_000))
    time.pass_ms(2_000)

    right.learn(T0 + 2_000 - HOUR_MS)
    assert right.just_learnt()
    sampler.realign()
    time.pass_ms(3_000)
    machine.now = reading(cpu_ms=4_000)
    (sample,) = sampler.take()

    assert (sample.start_ms, sample.end_ms, sample.cpu_ms) == (T0 - HOUR_MS, T0 - HOUR_MS + 5_000, 4_000)
    assert not right.just_learnt()
