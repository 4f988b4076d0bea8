"""Detectors, classifiers and imputers in files: what comes back does as they did."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import FunctionTransformer

import destructors
from destructors.autoregressive import RegressionDestructor
from destructors.command import main
from destructors.estimators import (
    DensityClassifier,
    DensityImputer,
    MixtureDensity,
    OutlierDetector,
)
from destructors.flows import RBIG
from destructors.linear import Whitening
from destructors.maps import Classifier, Detector, Imputer
from destructors.maps._excess import _quantiles, _shares
from destructors.maps._imputer import MeanRegression

X = np.random.default_rng(0).gamma(2.0, size=(300, 2))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def again(model, path):
    destructors.save(model, path)
    return destructors.load(path)


@pytest.mark.parametrize("destructor", [None, Whitening(), RBIG(max_iter=2)])
def test_a_detector_comes_back_to_the_same_bits(destructor, path):
    model = OutlierDetector(destructor, n_folds=3, random_state=0).fit(X)
    loaded = again(model, path)
    assert isinstance(loaded, Detector)
    assert loaded == model.to_detector()
    rows = np.vstack([X[:50], X[:5] + 20.0])
    for method in ("score_samples", "decision_function", "predict", "p_values"):
        np.testing.assert_array_equal(
            getattr(loaded, method)(rows), getattr(model, method)(rows)
        )
    np.testing.assert_array_equal(loaded.explain(rows[:3]), model.explain(rows[:3]))
    assert again(loaded, path) == loaded


@pytest.mark.parametrize("labels", ["numbers", "strings", "flags"])
@pytest.mark.parametrize("reject", [None, 0.1])
def test_a_classifier_comes_back_to_the_same_bits(labels, reject, path):
    rows, y = load_iris(return_X_y=True)
    if labels == "strings":
        # As a column of a frame is: objects.
        y = np.array(["a", "b", "c"], dtype=object)[y]
    elif labels == "flags":
        y = y > 0
    label = "?" if labels == "strings" else -1
    model = DensityClassifier(Whitening(), reject=reject, reject_label=label)
    loaded = again(model.fit(rows, y), path)
    assert isinstance(loaded, Classifier)
    rows = np.vstack([rows[::10], [[9.0] * 4]])
    assert loaded.predict(rows).tolist() == model.predict(rows).tolist()
    for method in (
        "predict_proba",
        "predict_log_proba",
        "predict_joint_log_proba",
        "score_samples",
    ):
        np.testing.assert_array_equal(
            getattr(loaded, method)(rows), getattr(model, method)(rows)
        )


def test_a_class_without_prior_is_kept():
    rows, y = load_iris(return_X_y=True)
    model = DensityClassifier(Whitening(), priors=[0.5, 0.5, 0.0]).fit(rows, y)
    learned = model.to_classifier()
    assert learned.is_valid()
    assert set(learned.predict(rows)) == {0, 1}


@pytest.mark.parametrize("strategy", ["mean", "mode", "sample"])
def test_imputer(strategy, path):
    density = MixtureDensity(1, marginal=None)
    # The last column is a curve, of which one normal distribution knows a line.
    rows = np.c_[X, X[:, 0] ** 2]
    imputer = DensityImputer(density, strategy=strategy, random_state=0).fit(rows)
    holed = np.where(np.eye(3, dtype=bool), np.nan, rows[:3])
    loaded = again(imputer, path)
    assert isinstance(loaded, Imputer)
    assert {each.column for each in loaded.regressions} == set(imputer.corrected_)
    np.testing.assert_array_equal(loaded.transform(holed), imputer.transform(holed))


def test_imputer_of_a_frame(path):
    rng = np.random.default_rng(0)
    x = rng.exponential(size=300)
    kind = pd.Categorical(np.where(x > 1.0, "large", "small"))
    frame = pd.DataFrame({"x": x, "y": x**2 + rng.normal(size=300), "kind": kind})
    imputer = DensityImputer(MixtureDensity(2), random_state=0).fit(frame)
    assert len(imputer.corrected_) > 0
    holed = frame.head(30).mask(rng.random((30, 3)) < 0.4)
    filled = again(imputer, path).transform(holed)
    pd.testing.assert_frame_equal(filled, imputer.transform(holed))


def test_imputer_of_parts_that_do_not_fit_is_not_valid():
    imputer = DensityImputer(MixtureDensity(1), random_state=0).fit(X)
    learned = imputer.to_imputer()
    assert learned.is_valid()
    assert not replace(learned, strategy="median").is_valid()
    seen = np.ones(5)
    wrong = MeanRegression(0, False, "numbers", *[seen] * 5, 0.0, 0.0, 1.0)
    assert wrong.is_valid()
    assert not replace(learned, regressions=(wrong,)).is_valid()
    assert not replace(wrong, coef=seen[:2]).is_valid()
    assert not replace(wrong, what="nothing").is_valid()
    assert not replace(wrong, weight=1.5).is_valid()
    right = learned.regressions[0]
    assert not replace(
        learned, regressions=(replace(right, weight=0.7),) * 2
    ).is_valid()


def test_names_of_columns_are_checked(path):
    frame = pd.DataFrame(X, columns=["a", "b"])
    loaded = again(OutlierDetector(Whitening(), random_state=0).fit(frame), path)
    assert loaded.predict(frame).shape == (300,)
    assert loaded.predict(X).shape == (300,)
    with pytest.raises(ValueError, match="in another order than in fit"):
        loaded.predict(frame[["b", "a"]])


def test_bad_rows_are_named(path):
    y = X[:, 0] > 2.0
    detector = OutlierDetector(Whitening(), random_state=0).fit(X).to_detector()
    classifier = DensityClassifier(Whitening()).fit(X, y).to_classifier()
    for model in (detector, classifier):
        with pytest.raises(ValueError, match=r"must have the shape \(n_samples, 2\)"):
            model.predict(X[:, :1])
        with pytest.raises(ValueError, match="NaN"):
            model.predict([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="X has no rows"):
        detector.predict(X[:0])


def test_what_cannot_be_saved_is_refused(path):
    with pytest.raises(TypeError, match="OutlierDetector, DensityClassifier"):
        destructors.save(FunctionTransformer(), path)
    with pytest.raises(NotFittedError):
        destructors.save(OutlierDetector(), path)
    opaque = RegressionDestructor(KNeighborsRegressor())
    bent = np.c_[X[:, 0], 9.0 * np.sin(X[:, 0]) + 0.1 * X[:, 1]]
    model = DensityClassifier(opaque).fit(bent, X[:, 1] > 2.0)
    with pytest.raises(TypeError, match=r"model.densities\[0\].* is no data"):
        destructors.save(model, path)
    with pytest.raises(TypeError, match="all numbers or strings"):
        Classifier((), np.array(["a", 1], dtype=object), np.ones(2), 0.0, None, None)


def test_the_command_line_says_what_a_file_holds(path, tmp_path, capsys):
    destructors.save(OutlierDetector(Whitening(), random_state=0).fit(X), path)
    assert main(["info", str(path)]) == 1
    assert "holds a Detector" in capsys.readouterr().err


def test_quantiles_of_all_rows_are_those_of_each():
    rng = np.random.default_rng(0)
    points = np.sort(rng.normal(size=(40, 30)), axis=1)
    points[3, 5:9] = points[3, 5]
    scores = rng.normal(scale=30.0, size=points.shape)
    shares = _shares(points, scores)
    below, levels = np.cumsum(shares, axis=1) - 0.5 * shares, (np.arange(9) + 0.5) / 9
    expected = [np.interp(levels, *pair) for pair in zip(below, points, strict=True)]
    np.testing.assert_allclose(_quantiles(points, scores, 9), expected, atol=1e-9)
