"""Tables of both kinds: a short search, and that each of its invariants can fail."""

from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import pytest

from tests.fuzz.attempts import NotAsked, Refused, Violation, limited
from tests.fuzz.frames import CATEGORIES, FRAME_CHANGES, FrameRecipe, draw_frame
from tests.fuzz.mixed import FRAME_INVARIANTS, MIXED, FrameCase, check_any
from tests.fuzz.shrink import reproducer

ORDINARY = FrameRecipe(60, ("two", "unused-levels"), ("normal",))


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("seed", range(2))
def test_hostile_tables_of_both_kinds_break_nothing(name, seed):
    recipe = draw_frame(np.random.default_rng([crc32(name.encode()), seed]))
    with limited(30.0):
        try:
            case = FrameCase(name, recipe.build())
        except Refused:
            return
        for invariant in FRAME_INVARIANTS:
            with suppress(NotAsked):
                check_any(case, invariant)


def _change_images(case, place, change):
    case.images = {
        kind: (*values[:place], change(values[place]), *values[place + 1 :])
        for kind, values in case.images.items()
    }


def _score(case, change):
    score = case.fitted.score_samples
    case.fitted.score_samples = lambda X: change(score(X), X)


def _ignore_weights(case):
    fit = case.fit
    case.fit = lambda table: fit(table._replace(weight=None))


def _double_probabilities(case):
    base = case.fitted.base_distribution_
    case.fitted.base_distribution_ = SimpleNamespace(
        n_categories=base.n_categories, logpdf=lambda Z: base.logpdf(Z) + np.log(2.0)
    )


FAULTS = {
    "finite": lambda case: _change_images(case, 1, lambda Z: np.full_like(Z, np.nan)),
    "round trip": lambda case: _change_images(case, 3, lambda X: X.iloc[::-1]),
    "batches": lambda case: _score(case, lambda scores, X: scores + len(X)),
    "copies": lambda case: _change_images(case, 5, lambda scores: scores + 1e-12),
    "codes": _double_probabilities,
    "unknown": lambda case: _score(
        case, lambda scores, X: scores - np.inf * X.isin(["never seen"]).any(axis=1)
    ),
    "seed": lambda case: _change_images(case, 5, lambda scores: scores + 1e-12),
    "weights": _ignore_weights,
}


@pytest.mark.parametrize("invariant", FRAME_INVARIANTS)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_an_invariant_catches_its_fault_and_lets_a_right_model_pass(invariant):
    check_any(FrameCase("hidden-tree-both", ORDINARY.build()), invariant)
    case = FrameCase("hidden-tree-both", ORDINARY.build())
    FAULTS[invariant](case)
    with pytest.raises(Violation):
        check_any(case, invariant)


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_repeat(name):
    for n_rows in (1, 30):
        recipe = FrameRecipe(n_rows, (name, name), seed=1)
        X, _ = recipe.build()
        assert X.shape == (n_rows, 3)
        assert X.equals(recipe.build().X)


@pytest.mark.parametrize("name", FRAME_CHANGES)
def test_changes_keep_the_rows(name):
    assert len(FrameRecipe(20, ("two",), ("normal",), (name,)).build().X) == 20


def test_a_category_of_a_number_of_the_whole_range_has_both_values():
    recipe = FrameRecipe(30, ("two",), ("whole-range",), ("category-of-number",))
    for seed in range(20):
        counts = replace(recipe, seed=seed).build().X["sign"].value_counts()
        assert counts.to_dict() == {"low": 15, "high": 15}


def test_a_failure_is_printed_on_a_smaller_table():
    recipe = FrameRecipe(8, ("two", "constant"), ("normal", "skewed"))
    code = reproducer("hidden-tree-both", recipe, "finite", "no such cause", 1.0)
    assert "check_any(FrameCase('hidden-tree-both', table), 'finite')" in code
