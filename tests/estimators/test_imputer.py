"""What is missing, filled in from a density."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from destructors.estimators import DensityImputer, MixtureDensity

SMALL = MixtureDensity(2, marginal=None)


@parametrize_with_checks([DensityImputer(MixtureDensity(1, marginal=None))])
def test_sklearn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def table():
    """Rows, the same with holes, and where the holes are."""
    rng = np.random.default_rng(0)
    n = 800
    kind = rng.choice(["a", "b"], n)
    x = rng.normal(np.where(kind == "a", -3.0, 3.0))
    frame = pd.DataFrame(
        {
            "x": x,
            "y": 2.0 * x + rng.normal(size=n),
            "kind": pd.Categorical(kind),
            "count": rng.poisson(np.where(kind == "a", 1.0, 9.0)),
        }
    )
    mask = rng.random(frame.shape) < 0.2
    return frame, frame.astype({"count": "Int64"}).mask(mask), mask


def imputer(strategy="mean"):
    return DensityImputer(SMALL, strategy=strategy, random_state=0)


@pytest.mark.parametrize("strategy", ["mean", "mode", "sample"])
def test_frames_come_back_whole_with_their_dtypes(table, strategy):
    _, holed, mask = table
    filled = imputer(strategy).fit_transform(holed)
    assert (filled.dtypes == holed.dtypes).all()
    assert not filled.isna().any(axis=None)
    for j, name in enumerate(holed):
        assert (filled[name][~mask[:, j]] == holed[name][~mask[:, j]]).all()


def test_the_mean_has_half_the_error_of_the_mean_of_the_column(table):
    frame, holed, mask = table
    filled, here = imputer().fit_transform(holed), mask[:, 1]
    simple = SimpleImputer().fit_transform(holed[["y"]])[:, 0]
    error = lambda y: np.sqrt(np.mean((y[here] - frame["y"][here]) ** 2))
    assert error(filled["y"]) < 0.5 * error(simple)
    assert (filled["kind"] == frame["kind"])[mask[:, 2]].mean() > 0.9


def test_draws_keep_the_spread_that_means_lose(table):
    frame, holed, mask = table
    here = mask[:, 1]
    drawn = imputer("sample").fit_transform(holed)["y"][here]
    mean = imputer().fit_transform(holed)["y"][here]
    assert mean.std() < drawn.std()
    assert drawn.std() == pytest.approx(frame["y"][here].std(), rel=0.15)


def test_the_seed_decides_the_draws(table):
    _, holed, _ = table
    model = imputer("sample").fit(holed)
    pd.testing.assert_frame_equal(model.transform(holed), model.transform(holed))


def test_in_a_pipeline_with_names(table):
    frame, holed, _ = table
    y = frame["count"] > 4
    pipeline = make_pipeline(
        imputer(), HistGradientBoostingClassifier(max_iter=5, random_state=0)
    )
    assert (
        pipeline.fit(holed.drop(columns="count"), y).score(
            holed.drop(columns="count"), y
        )
        > 0.9
    )
    names = imputer().fit(holed).get_feature_names_out()
    assert names.tolist() == ["x", "y", "kind", "count"]


def test_only_densities_that_can_condition_are_taken(table):
    from destructors.linear import Whitening

    with pytest.raises(ValueError, match="density"):
        DensityImputer(Whitening()).fit(table[1])
