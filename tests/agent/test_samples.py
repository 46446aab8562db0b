"""Splitting a long sample."""

from agent.samples import QUANTITIES, Sample, split

HOUR = 3_600_000


def test_a_sample_of_an_hour_stays_whole_and_a_longer_one_is_split() -> None:
    hour = Sample(0, HOUR, cpu_ms=7)
    longer = Sample(0, HOUR + 1, cpu_ms=7)

    assert list(split(hour)) == [hour]
    assert [(piece.start_ms, piece.end_ms) for piece in split(longer)] == [(0, HOUR), (HOUR, HOUR + 1)]


def test_the_pieces_add_up_to_the_whole() -> None:
    whole = Sample(1_000, 1_000 + 5 * HOUR + 17, 9_999_999, 1_234_567, 7, 1, 2, 3, 1_000_003)

    pieces = list(split(whole))

    assert len(pieces) == 6
    for name in QUANTITIES:
        assert sum(getattr(piece, name) for piece in pieces) == getattr(whole, name)
