"""Ctrl-C and the clock: what was fitted is kept and said; else nothing is changed."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from destructors.compose import IterativeDestructor
from destructors.flows import RBIG, AutoDestructor, DiscreteTreeFlow, TreeFlow
from destructors.rows import _running, as_interrupt
from tests.interrupted import MODELS


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODELS))
def test_interrupts_at_random_moments(name):
    done = subprocess.run(
        [sys.executable, "-m", "tests.interrupted", name, "6", "0"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("first fit") >= 1
    assert done.stdout.count("refit") >= 1


def test_the_interrupt_of_a_kernel_is_an_interrupt():
    def kernel(depth):
        try:
            if depth == 0:
                raise KeyboardInterrupt
            kernel(depth - 1)
        except BaseException as error:
            raise SystemError("returned a result with an exception set") from error

    for depth in range(3):
        with pytest.raises(SystemError) as caught:
            kernel(depth)
        assert isinstance(as_interrupt(caught.value), KeyboardInterrupt)
    other = ValueError("of another kind")
    assert as_interrupt(other) is other


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=1200)
    return np.c_[x, np.sin(x) + 0.2 * rng.normal(size=1200)]


@pytest.mark.parametrize(
    "model",
    [
        TreeFlow(random_state=0),
        AutoDestructor(random_state=0),
        RBIG(random_state=0),
        IterativeDestructor(random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_max_time_ends_a_fit_with_what_there_is(model, X, monkeypatch):
    # A clock that goes on by one second each time somebody looks.
    ticks = itertools.count()
    monkeypatch.setattr(_running, "perf_counter", lambda: float(next(ticks)))
    model.set_params(max_time=5.0).fit(X)
    in_time = next(ticks)
    assert model.n_iter_ >= 1
    assert np.isfinite(model.score_samples(X)).all()
    model.set_params(max_time=None).fit(X)
    assert in_time < 0.5 * (next(ticks) - in_time)


def test_max_time_of_a_discrete_flow(monkeypatch):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 500)
    X = np.stack([a, (a + rng.integers(0, 2, 500)) % 4, rng.integers(0, 3, 500)], 1)
    ticks = itertools.count()
    monkeypatch.setattr(_running, "perf_counter", lambda: float(next(ticks)))
    model = DiscreteTreeFlow(random_state=0, max_time=1.0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
