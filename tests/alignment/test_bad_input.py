"""Each wrong input gets an error that tells what is wrong, or a right answer."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import destructors
from destructors.alignment import (
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.compose import IterativeDestructor
from destructors.flows import AlignmentFlow
from destructors.linear import Whitening

MAPS = [
    MarginalBarycenter(),
    SlicedBarycenter(),
    GaussianBarycenter(),
    TreeBarycenter(),
    AlignmentFlow(max_iter=2, cv=None, random_state=0),
]
each_map = pytest.mark.parametrize("alignment", MAPS, ids=lambda m: type(m).__name__)


@pytest.fixture
def domain(X):
    return np.repeat(["a", "b"], [100, 200])


@each_map
def test_one_domain_only(alignment, X):
    message = r"at least 2 domains, .* but sample_domain has 'a' \(300\)"
    with pytest.raises(ValueError, match=message):
        clone(alignment).fit(X, sample_domain=["a"] * 300)


@each_map
def test_too_few_rows_of_a_domain(alignment, X):
    domain = np.repeat(["a", "b", "c"], [150, 149, 1])
    with pytest.raises(
        ValueError, match=r"least . row.* has 'c' \(1\), .*: drop small"
    ):
        clone(alignment).fit(X, sample_domain=domain)


@each_map
def test_rows_of_weight_zero_do_not_make_a_domain(alignment, X, domain):
    with pytest.raises(ValueError, match="at least 2 domains"):
        clone(alignment).fit(X, sample_domain=domain, sample_weight=domain == "a")


@each_map
def test_fewest_rows_are_enough(alignment, X):
    fewest = type(alignment)._min_domain_samples
    rows, domain = X[: 2 * fewest], np.repeat([0, 1], fewest)
    Z = clone(alignment).fit_transform(rows, sample_domain=domain)
    assert np.isfinite(Z).all()


@pytest.mark.parametrize(
    "method", ["fit", "transform", "inverse_transform", "score", "fit_transform"]
)
@each_map
def test_labels_are_missing(alignment, method, X, domain):
    fitted = clone(alignment).fit(X, sample_domain=domain)
    with pytest.raises(ValueError, match="needs sample_domain, the domain label"):
        getattr(fitted, method)(X)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_label_is_missing(missing, X, domain):
    labels = np.array(domain, dtype=object)
    labels[3] = missing
    with pytest.raises(ValueError, match=r"missing labels \(NaN or None\)"):
        GaussianBarycenter().fit(X, sample_domain=labels)


@each_map
def test_unknown_label(alignment, X, domain):
    fitted = clone(alignment).fit(X, sample_domain=domain)
    message = r"unknown label\(s\) 'c'; the domains seen in fit are 'a', 'b'"
    with pytest.raises(ValueError, match=message):
        fitted.transform(X[:2], sample_domain=["a", "c"])
    with pytest.raises(ValueError, match=message):
        fitted.inverse_transform(X[:2], sample_domain=["c", "a"])
    for ends in ({"source": "c", "target": "a"}, {"source": "a", "target": "c"}):
        with pytest.raises(ValueError, match=message):
            fitted.translate(X[:2], **ends)


@each_map
def test_nan(alignment, X, domain):
    fitted = clone(alignment).fit(X, sample_domain=domain)
    X[[3, 5], 1] = np.nan
    message = r"NaN in 2 row\(s\); column\(s\): 1\. .*SimpleImputer"
    with pytest.raises(ValueError, match=message):
        clone(alignment).fit(X, sample_domain=domain)
    with pytest.raises(ValueError, match=message):
        fitted.transform(X, sample_domain=domain)
    with pytest.raises(ValueError, match="Input Z contains NaN"):
        fitted.inverse_transform(X, sample_domain=domain)


@each_map
def test_lengths(alignment, X, domain):
    message = r"one label for each of 300 rows, got an array of shape \(299,\)"
    with pytest.raises(ValueError, match=message):
        clone(alignment).fit(X, sample_domain=domain[1:])
    fitted = clone(alignment).fit(X, sample_domain=domain)
    with pytest.raises(ValueError, match=message):
        fitted.transform(X, sample_domain=domain[1:])
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        clone(alignment).fit(X, sample_domain=domain, sample_weight=np.ones(3))


def test_labels_of_two_columns(X):
    with pytest.raises(
        ValueError, match=r"one label for each .* got an array of shape"
    ):
        GaussianBarycenter().fit(X, sample_domain=np.zeros((300, 2)))


@each_map
def test_width_after_fit(alignment, X, domain):
    fitted = clone(alignment).fit(X, sample_domain=domain)
    with pytest.raises(ValueError, match="X has 1 features, but"):
        fitted.transform(X[:, :1], sample_domain=domain)
    with pytest.raises(ValueError, match="Z has 1 features, but"):
        fitted.inverse_transform(X[:, :1], sample_domain=domain)


@each_map
def test_labels_by_position(alignment, X, domain):
    message = r"needs sample_domain, .* by keyword: sample_domain=labels"
    with pytest.raises(ValueError, match=message):
        clone(alignment).fit(X, domain)
    with pytest.raises(ValueError, match=message):
        clone(alignment).fit_transform(X, domain)


@each_map
def test_held_out_rows(alignment, X, domain):
    fit = lambda **known: clone(alignment).fit(X, sample_domain=domain, **known)
    with pytest.raises(ValueError, match="needs sample_domain_val"):
        fit(X_val=X)
    with pytest.raises(
        ValueError, match=r"X_val needs rows of each domain, .* \['b'\]"
    ):
        fit(X_val=X[:9], sample_domain_val=["a"] * 9)
    with pytest.raises(ValueError, match=r"unknown label\(s\) 'c'"):
        fit(X_val=X[:9], sample_domain_val=["c"] * 9)
    with pytest.raises(ValueError, match="Input X_val contains NaN"):
        fit(X_val=np.full((2, 2), np.nan), sample_domain_val=["a", "b"])


@each_map
def test_a_failed_fit_leaves_the_last_one(alignment, X, domain):
    fitted = clone(alignment).fit(X, sample_domain=domain)
    before = fitted.transform(X, sample_domain=domain)
    with pytest.raises(ValueError, match="at least 2 domains"):
        fitted.fit(2.0 * X, sample_domain=["a"] * 300)
    np.testing.assert_array_equal(fitted.transform(X, sample_domain=domain), before)


def test_rows_of_which_nobody_knows_the_domain(X):
    stack = IterativeDestructor(GaussianBarycenter())
    with pytest.raises(ValueError, match="fit it by itself, with sample_domain"):
        stack.fit(X)


@each_map
def test_use_before_fit(alignment, X, domain):
    for method in ("transform", "inverse_transform", "score"):
        with pytest.raises(NotFittedError):
            getattr(clone(alignment), method)(X, sample_domain=domain)
    with pytest.raises(NotFittedError):
        clone(alignment).translate(X, source="a", target="b")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"c": 1.0}, r"unknown domain\(s\) \['c'\]; there are \['a', 'b'\]"),
        ([1.0, 1.0, 1.0], "one weight for each of the 2 domains"),
        ([1.0, -1.0], "finite and not negative"),
        ({}, "with one above zero"),
        ("target", r"domains \['a', 'b'\] have \[0.0, 0.0\].* label is a negative"),
    ],
)
def test_weights_of_domains(weights, message, X, domain):
    with pytest.raises(ValueError, match=message):
        GaussianBarycenter(domain_weights=weights).fit(X, sample_domain=domain)


def test_a_target_needs_a_negative_label(X):
    with pytest.raises(ValueError, match=r"\[0, 1\] have .*whose label is a negative"):
        GaussianBarycenter(domain_weights="target").fit(
            X, sample_domain=np.repeat([0, 1], 150)
        )


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        (SlicedBarycenter(0), "'n_directions' parameter of SlicedBarycenter"),
        (MarginalBarycenter(n_knots=1), "'n_knots' parameter"),
        (GaussianBarycenter(learning_rate=2.0), "'learning_rate' parameter"),
        (TreeBarycenter(n_cells=1), "'n_cells' parameter"),
        (AlignmentFlow(learning_rate=0.0), "'learning_rate' parameter"),
        (AlignmentFlow(domain_weights="all"), "'domain_weights' parameter"),
        (AlignmentFlow(density="normal"), "'density' parameter"),
        (AlignmentFlow([("g", GaussianBarycenter(n_components=0))]), "'n_components'"),
    ],
)
def test_parameters(alignment, message, X, domain):
    with pytest.raises(InvalidParameterError, match=message):
        alignment.fit(X, sample_domain=domain)


def test_layers_that_are_none(X, domain):
    flow = AlignmentFlow([("whiten", Whitening())])
    with pytest.raises(TypeError, match=r"\(name, DomainDestructor\) tuple"):
        flow.fit(X, sample_domain=domain)
    with pytest.raises(ValueError, match="layers is empty"):
        AlignmentFlow([]).fit(X, sample_domain=domain)


def test_labels_of_pandas(X, domain):
    """Categories, strings and columns of a frame are labels like others."""
    expected = GaussianBarycenter(random_state=0).fit(X, sample_domain=domain)
    for labels in (pd.Series(domain), pd.Categorical(domain), domain[:, None]):
        fitted = GaussianBarycenter(random_state=0).fit(X, sample_domain=labels)
        np.testing.assert_array_equal(
            fitted.transform(X, sample_domain=labels),
            expected.transform(X, sample_domain=domain),
        )
        assert fitted.domains_.dtype == domain.dtype


def test_labels_that_are_objects_can_be_saved(X, domain, tmp_path):
    """A file holds no objects, but their values."""
    fitted = GaussianBarycenter(random_state=0).fit(
        X, sample_domain=domain.astype(object)
    )
    destructors.save(fitted, tmp_path / "layer.npz")
    loaded = destructors.load(tmp_path / "layer.npz")
    np.testing.assert_array_equal(
        loaded.forward(X, domain.astype(object))[0],
        fitted.transform(X, sample_domain=domain),
    )


@each_map
def test_labels_without_held_out_rows(alignment, X, domain):
    """They would be ignored."""
    for given in ("sample_domain_val", "sample_weight_val"):
        with pytest.raises(ValueError, match=f"{given} .*need X_val"):
            clone(alignment).fit(X, sample_domain=domain, **{given: np.ones(9)})
