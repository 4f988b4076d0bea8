"""Units, outliers and constants: a right answer, or an error that names the column."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import destructors
from destructors.alignment import (
    DomainHolder,
    DomainsApart,
    GaussianBarycenter,
    MarginalBarycenter,
    SlicedBarycenter,
    TreeBarycenter,
)
from destructors.flows import AlignmentFlow
from destructors.rows import open_rows

FLOW = AlignmentFlow(max_iter=3, cv=None, random_state=0)
FEATURE_WISE = [MarginalBarycenter(random_state=0), TreeBarycenter(random_state=0)]
MIXING = [SlicedBarycenter(random_state=0), GaussianBarycenter(random_state=0)]
LAYERS = [*FEATURE_WISE, *MIXING]


def each(alignments):
    return pytest.mark.parametrize(
        "alignment", alignments, ids=lambda alignment: type(alignment).__name__
    )


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X, domain = rng.normal(size=(300, 3)), np.repeat(["a", "b"], 150)
    X[:, 2] += X[:, 0]
    X[150:] = 1.5 * X[150:] + 0.7
    return X, domain


def there_and_back(alignment, X, domain):
    Z = alignment.transform(X, sample_domain=domain)
    return Z, alignment.inverse_transform(Z, sample_domain=domain)


@each([*LAYERS, FLOW])
@pytest.mark.parametrize("unit", [2.0**996, 2.0**-996, 2.0**-20])
def test_the_unit_of_all_columns_is_that_of_the_map(alignment, unit, rows):
    """Tiny and huge numbers are squared on the way: 1e±300 must not be."""
    X, domain = rows
    expected, _ = there_and_back(
        clone(alignment).fit(X, sample_domain=domain), X, domain
    )
    fitted = clone(alignment).fit(unit * X, sample_domain=domain)
    Z, back = there_and_back(fitted, unit * X, domain)
    np.testing.assert_allclose(Z / unit, expected, atol=1e-12)
    np.testing.assert_allclose(back / unit, X, atol=1e-12)


@each([*LAYERS, FLOW])
def test_the_origin_of_each_column_is_that_of_the_map(alignment, rows):
    X, domain = rows
    origin = np.array([1e3, -50.0, 7.0])
    expected, _ = there_and_back(
        clone(alignment).fit(X, sample_domain=domain), X, domain
    )
    fitted = clone(alignment).fit(X + origin, sample_domain=domain)
    Z, _ = there_and_back(fitted, X + origin, domain)
    np.testing.assert_allclose(Z - origin, expected, atol=1e-6)


def test_knots_on_ties_do_not_hang_on_the_origin():
    """They are apart by a share of the spread, not of the distance from zero: slopes of
    rows on ties, of great weight, are those between them.
    """
    rng = np.random.default_rng(2)
    X, domain = np.round(rng.normal(size=(60, 1)), 1), np.repeat(["a", "b"], 30)
    X[30:], weight = 1.5 * X[30:], rng.choice([1.0, 1e9], 60)
    log_dets = []
    for shift in (0.0, 64.0):
        layer = MarginalBarycenter(n_knots=64, learning_rate=1.0)
        layer.fit(X + shift, sample_domain=domain, sample_weight=weight)
        moved = layer.transform_and_log_det(X + shift, sample_domain=domain)
        log_dets.append(moved[1])
    assert np.ptp(log_dets[0]) > 1.0
    np.testing.assert_allclose(*log_dets, atol=2e-6)


def test_behind_a_scaler_a_flow_knows_no_units(rows):
    """A flow itself moves rows by distances in the units of the data."""
    X, domain = rows
    scale, origin = np.array([1e-6, 1.0, 1e9]), np.array([3.0, -50.0, 1e10])
    with sklearn.config_context(enable_metadata_routing=True):
        plain = make_pipeline(StandardScaler(), clone(FLOW))
        expected = plain.fit(X, sample_domain=domain).transform(X, sample_domain=domain)
        moved = clone(plain).fit(scale * X + origin, sample_domain=domain)
        Z = moved.transform(scale * X + origin, sample_domain=domain)
    np.testing.assert_allclose(Z, expected, atol=1e-6)


@each([*MIXING, FLOW])
def test_columns_too_different_to_be_mixed_are_named(alignment, rows):
    X, domain = rows
    table = pd.DataFrame(X * [1e12, 1.0, 1e-12], columns=["large", "one", "small"])
    message = r"Column (one|small) loses its digits .* in column large\. Standardize"
    with pytest.raises(ValueError, match=message):
        clone(alignment).fit(table, sample_domain=domain)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("small", [1e-3, 1e-5, 2e-6])
def test_columns_of_unlike_scale_are_all_brought_to_the_barycenter(small, place, rows):
    """Roots of products of covariances would leave no digits of the small one."""
    X, domain = rows
    X = X * np.where(np.arange(3) == place, small, 1.0)
    layer = GaussianBarycenter(learning_rate=1.0, random_state=0)
    Z = layer.fit(X, sample_domain=domain).transform(X, sample_domain=domain)
    units = Z.std(axis=0)
    first, second = (np.cov((Z[domain == name] / units).T) for name in "ab")
    np.testing.assert_allclose(first, second, atol=1e-9)
    weight = np.where(np.arange(300) % 3 == 0, 2.0, 1.0)
    weighted = clone(layer).fit(X, sample_domain=domain, sample_weight=weight)
    twice = np.repeat(np.arange(300), weight.astype(int))
    repeated = clone(layer).fit(X[twice], sample_domain=domain[twice])
    there, again = (m.transform(X, sample_domain=domain) for m in (weighted, repeated))
    np.testing.assert_allclose(there / units, again / units, atol=1e-11)


def test_a_column_below_the_rounding_of_covariances_is_named(rows):
    """Squares have half the digits: 1 beside 1e8 is what eigenvalues round."""
    X, domain = rows
    layer = GaussianBarycenter(random_state=0)
    with pytest.raises(ValueError, match=r"Column 0 loses its digits .* in column 2"):
        layer.fit(X * [1.0, 1e8, 1e8], sample_domain=domain)
    constant = X * [0.0, 1e8, 1e8] + [0.1, 0.0, 0.0]
    Z = layer.fit(constant, sample_domain=domain).transform(
        constant, sample_domain=domain
    )
    np.testing.assert_allclose(Z[:, 0], 0.1, rtol=1e-9)


def test_knots_of_a_column_of_the_smallest_numbers_are_told_apart(rows, tmp_path):
    X, domain = rows
    rng = np.random.default_rng(0)
    X[:, 1] = 5e-324 * np.where(rng.random(300) < 0.6, 61.0, rng.integers(0, 100, 300))
    model = MarginalBarycenter(random_state=0).fit(X, sample_domain=domain)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    Z = model.transform(X, sample_domain=domain)
    np.testing.assert_array_equal(density.forward(X, domain)[0], Z)


@each([*LAYERS, FLOW])
@pytest.mark.parametrize("value", [5e-324, 1e-315, 1e-305, 1.0, 1.5e308])
def test_columns_that_are_constant_stay_what_they_are(alignment, value):
    X, domain = np.repeat([[value, 0.0]], 60, axis=0), np.repeat(["a", "b"], 30)
    fitted = clone(alignment).fit(X, sample_domain=domain)
    Z, back = there_and_back(fitted, X, domain)
    np.testing.assert_allclose(Z, X, atol=1e-15 * value)
    np.testing.assert_allclose(back, X, rtol=1e-12)
    _, log_det = fitted.transform_and_log_det(X, sample_domain=domain)
    np.testing.assert_allclose(log_det, 0.0, atol=1e-9)


def test_a_constant_far_smaller_than_another():
    X, domain = np.repeat([[-0.4173017, 5.75e86]], 5, axis=0), [1, 0, 1, 1, 0]
    fitted = GaussianBarycenter().fit(X, sample_domain=domain)
    _, back = there_and_back(fitted, X, domain)
    np.testing.assert_allclose(back, X, rtol=1e-12)


@each(FEATURE_WISE)
def test_columns_that_are_not_mixed_can_differ(alignment, rows):
    X, domain = rows
    X = X * [1e12, 1.0, 1e-12]
    fitted = clone(alignment).fit(X, sample_domain=domain)
    _, back = there_and_back(fitted, X, domain)
    np.testing.assert_allclose(back, X, rtol=1e-9)


@each(LAYERS)
def test_an_outlier_that_would_move_its_domain_away_is_named(alignment, rows):
    X, domain = rows
    X[3, 1] = 1e30
    with pytest.raises(ValueError, match=r"Column [01] loses .* in column 1\. .* clip"):
        clone(alignment).set_params(learning_rate=1.0).fit(X, sample_domain=domain)


@each([*LAYERS, FLOW])
def test_domains_of_equal_rows(alignment, rows):
    _, domain = rows
    X = np.where(domain[:, None] == "a", [1.0, 2.0, 3.0], [4.0, 5.0, 1e9])
    fitted = clone(alignment).fit(X, sample_domain=domain)
    Z, back = there_and_back(fitted, X, domain)
    np.testing.assert_allclose(back, X, rtol=1e-7)
    for k in (0, 299):
        alone = fitted.transform(X[[k]], sample_domain=domain[[k]])
        np.testing.assert_array_equal(alone, Z[[k]])


@each([*LAYERS, FLOW])
def test_a_constant_domain_far_from_zero(alignment, rows):
    X, domain = rows
    X = 1e9 + np.where(domain[:, None] == "a", 0.0, X)
    fitted = clone(alignment).fit(X, sample_domain=domain)
    Z, back = there_and_back(fitted, X, domain)
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(back, X, atol=1e-6, rtol=0)


@pytest.mark.parametrize("end", [-1.0, 1.0])
def test_knots_about_the_largest_numbers_stay_inside(end):
    X = np.full((6, 1), end * 1.797e308)
    domain = np.arange(6) % 2
    model = MarginalBarycenter().fit(X, sample_domain=domain)
    Z = model.transform(X, sample_domain=domain)
    np.testing.assert_allclose(Z / X, 1.0)


def test_an_offset_takes_no_digits_of_columns_turned_with_it(rows):
    X, domain = rows
    X = np.round(X, 6)
    offset = np.array([0.0, 2.0**40, -3e9])
    moved = X + offset
    alignment = SlicedBarycenter(n_directions=2, random_state=0)
    log_dets = [
        clone(alignment)
        .fit(values, sample_domain=domain)
        .transform_and_log_det(values, sample_domain=domain)[1]
        for values in (moved - offset, moved)
    ]
    np.testing.assert_allclose(log_dets[1], log_dets[0], rtol=0, atol=1e-9)


def test_weights_are_repeats_beside_a_constant_of_minus_1e9(rows):
    X, domain = rows
    X[:, 1] = -1e9
    X[1:120] = X[0]
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    alignment = SlicedBarycenter(random_state=0)
    weighted = clone(alignment).fit(X, sample_weight=1.0 * weight, sample_domain=domain)
    repeats = np.repeat(np.arange(len(X)), weight)
    repeated = clone(alignment).fit(X[repeats], sample_domain=domain[repeats])
    log_dets = [
        model.transform_and_log_det(X, sample_domain=domain)[1]
        for model in (weighted, repeated)
    ]
    np.testing.assert_allclose(*log_dets, rtol=0, atol=1e-8)


@each([*LAYERS, FLOW])
@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_a_domain_of_few_rows_has_them_as_often_as_their_weights_say(
    alignment, n_rows, rows
):
    X, domain = rows
    X, domain = X[: 150 + n_rows], domain[: 150 + n_rows]
    weight = np.ones(len(X))
    weight[150:] = 4.0
    often = np.repeat(np.arange(len(X)), weight.astype(int))
    repeated = clone(alignment).fit(X[often], sample_domain=domain[often])
    weighted = clone(alignment).fit(X, sample_domain=domain, sample_weight=weight)
    Z, back = there_and_back(weighted, X, domain)
    expected, _ = there_and_back(repeated, X, domain)
    np.testing.assert_allclose(Z, expected, atol=1e-6)
    np.testing.assert_allclose(back, X, atol=1e-6)
    with pytest.raises(ValueError, match="or of that weight"):
        clone(alignment).fit(X[:151], sample_domain=domain[:151])


def test_so_have_blocks_and_rows_that_stay_where_they_are(rows, tmp_path):
    X, domain = rows[0][:151], rows[1][:151]
    weight = np.r_[np.ones(150), 4.0]
    np.save(tmp_path / "rows.npy", np.c_[X, weight])
    blocks = open_rows(
        tmp_path / "rows.npy",
        columns=[0, 1, 2],
        weight=3,
        domain=np.r_[np.zeros(150), 1.0],
    )
    apart = DomainsApart({"a": DomainHolder(X[:150]), "b": DomainHolder(X[150:], [4])})
    for one in (FLOW, GaussianBarycenter(random_state=0)):
        here = clone(one).fit(X, sample_domain=domain, sample_weight=weight)
        Z = here.transform(X, sample_domain=domain)
        there = clone(one).fit(blocks)
        Z_there = there.transform(X, sample_domain=(domain == "b") * 1.0)
        np.testing.assert_allclose(Z_there, Z, atol=1e-6)
    # The last of them: its layers need no search, which is another one there.
    Z_apart = clone(one).fit(apart).transform(X, sample_domain=domain)
    np.testing.assert_allclose(Z_apart, Z, atol=1e-6)


@pytest.mark.parametrize("size", [1.0, 1e280, 1e301])
def test_columns_that_would_be_stretched_out_of_float64_are_named(size):
    """One row is nearly all of domain "a": what lies beyond it is stretched."""
    X = size * np.random.default_rng(0).normal(size=(30, 1))
    domain, weight = np.repeat(["a", "b"], 15), np.r_[1e6, np.ones(29)]
    X = pd.DataFrame(X, columns=["far"])
    flow = clone(FLOW)
    fit = lambda: flow.fit(X, sample_domain=domain, sample_weight=weight)
    if size == 1e301:
        with pytest.raises(ValueError, match=r"Column far ranges from .* Divide"):
            fit()
        return
    far = X * 1e6
    _, back = there_and_back(fit(), far, domain)
    np.testing.assert_allclose(back, far, rtol=1e-9)


@pytest.mark.parametrize("size", [1.0, 1e301])
def test_so_are_those_on_disk(size, tmp_path):
    X = size * np.random.default_rng(0).normal(size=(30, 1))
    domain, weight = np.repeat([0, 1], 15), np.r_[1e6, np.ones(29)]
    np.save(tmp_path / "rows.npy", np.c_[X, X])
    blocks = open_rows(
        tmp_path / "rows.npy", columns=[0], weight=weight, domain=domain, block_size=10
    )
    one = clone(FLOW)
    if size == 1e301:
        with pytest.raises(ValueError, match=r"Column 0 ranges from .* Divide"):
            one.fit(blocks)
        return
    Z, back = there_and_back(one.fit(blocks), X, domain)
    np.testing.assert_allclose(back, X, rtol=1e-9)
    assert np.isfinite(Z).all()
