"""Each invariant can fail: on a destructor with the fault that it is for."""

import numpy as np
import pytest

from destructors.linear import RandomRotation, Standardize
from tests import faulty
from tests.fuzz.attempts import NotAsked, Refused, Violation, attempt
from tests.fuzz.case import Case
from tests.fuzz.invariants import INVARIANTS, REFITS, check
from tests.fuzz.models import MODELS
from tests.fuzz.shrink import cause_of, reproducer
from tests.fuzz.tables import CHANGES, COLUMNS, WEIGHTS, Recipe

ORDINARY = Recipe(60, ("normal", "skewed"))
FAULTS = {
    "finite": faulty.InfinitelyUnlikelyFarOut(),
    "round trip": faulty.NotInvertible(),
    "log-determinants": faulty.WrongLogDetOfInverse(),
    "batches": faulty.StandardisesByBatch(),
    "integral": faulty.WrongLogDet(),
    "copies": faulty.LosesStateWhenSaved(),
    "seed": faulty.IgnoresRandomState(),
    "powers of two": RandomRotation(),
    "affine": RandomRotation(),
    "weights": faulty.IgnoresWeights(),
}


@pytest.mark.parametrize("invariant", [*INVARIANTS, *REFITS])
def test_an_invariant_catches_its_fault_and_lets_a_right_one_pass(
    invariant, monkeypatch
):
    monkeypatch.setitem(MODELS, "faulty", FAULTS[invariant])
    monkeypatch.setitem(MODELS, "right", Standardize())
    check(Case("right", ORDINARY.build()), invariant)
    with pytest.raises(Violation):
        check(Case("faulty", ORDINARY.build()), invariant)


def test_a_step_function_is_caught_in_one_dimension(monkeypatch):
    monkeypatch.setitem(MODELS, "faulty", faulty.Unnormalised())
    with pytest.raises(Violation, match=r"the integral is off by 0\.\d"):
        check(Case("faulty", Recipe(60).build()), "integral")


def test_what_is_not_owed_is_not_asked():
    case = Case("random-rotation", ORDINARY.build())
    with pytest.raises(NotAsked, match="a rotation has no units"):
        check(case, "affine")


def test_only_an_error_of_the_library_about_its_input_is_clear():
    with pytest.raises(Refused, match="contains NaN in 1 row"):
        attempt(Standardize().fit, [[0.0], [np.nan], [1.0]])
    with pytest.raises(Violation, match="ValueError in outside"):
        attempt(np.linalg.solve, np.ones((2, 2)), np.ones(3))
    with pytest.raises(Violation, match="ZeroDivisionError"):
        attempt(lambda: 1 / 0)
    with pytest.raises(Violation, match="leaks a RuntimeWarning: overflow"):
        attempt(np.exp, np.array([1e3]))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_finite_and_repeat(name):
    for n_rows in (1, 30):
        table = Recipe(n_rows, (name,), seed=1).build()
        assert table.X.shape == (n_rows, 1)
        assert np.isfinite(table.X).all()
        np.testing.assert_array_equal(
            table.X, Recipe(n_rows, (name,), seed=1).build().X
        )


@pytest.mark.parametrize("name", CHANGES)
def test_changes_keep_the_rows_and_finite_numbers(name):
    table = Recipe(20, ("normal", "300-decades"), (name,)).build()
    assert len(table.X) == 20
    assert np.isfinite(table.X).all()


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_finite_and_not_all_zero(name):
    weight = Recipe(20, weights=name).build().weight
    assert weight is None or (np.isfinite(weight).all() and weight.max() > 0)


def test_a_failure_is_printed_on_a_smaller_table(monkeypatch):
    monkeypatch.setitem(MODELS, "faulty", faulty.NotInvertible())
    recipe = Recipe(100, ("uniform", "skewed"), ("sorted",), "ones")
    with pytest.raises(Violation) as found:
        check(Case("faulty", recipe.build()), "round trip")
    code = reproducer("faulty", recipe, "round trip", cause_of(str(found.value)), 5.0)
    assert "check(Case('faulty', table), 'round trip')" in code
    rows = code[code.index("X = ") : code.index("domain = ")]
    assert rows.count("\n") <= 3
