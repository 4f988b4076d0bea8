"""The timing helper, on clocks that the tests move."""

import pytest

from benchmarks import timing
from benchmarks.timing import Seconds


class Clock:
    """Both clocks of the helper: wall time passes twice as fast as processor time."""

    now = 0.0

    def work(self, duration):
        self.now += duration


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(timing, "process_time", lambda: clock.now / 2)
    return clock


def test_work_is_timed_once_on_both_clocks(clock):
    assert timing.time_once(lambda: clock.work(3.0)) == Seconds(3.0, 1.5)


@pytest.mark.parametrize(
    ("options", "expected"), [({}, [2.0, 30.0]), ({"summarize": min}, [1.0, 10.0])]
)
def test_works_take_turns(clock, options, expected):
    done = []

    def repeat(name, durations):
        durations = iter(durations)

        def work():
            done.append(name)
            clock.work(next(durations))

        return work

    works = {
        "short": repeat("short", [9.0, 1.0, 2.0]),
        "long": repeat("long", [40.0, 10.0, 30.0]),
    }
    times = timing.time_by_turns(works, 3, **options)
    assert done == ["short", "long"] * 3
    assert times == {
        name: Seconds(wall, wall / 2)
        for name, wall in zip(works, expected, strict=True)
    }


def test_calls_are_repeated_until_the_clock_can_measure_them(clock):
    calls = []

    def work():
        calls.append(1)
        clock.work(0.05)

    assert timing.calls_per_second(work) == pytest.approx(20.0)
    assert len(calls) * 0.05 >= 0.2
