"""CategoryDequantizer: intervals of the right size, a bound, and the way back."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.compose import make_column_selector

import destructors
from destructors.compose import CategoryDequantizer, make_destructor_pipeline
from destructors.flows import RBIG, TreeFlow
from destructors.linear import Standardize

SHARES = np.array([0.5, 0.3, 0.2])


def table(n_samples, seed=0):
    """A category, a number that depends on it, and the mean log density of both."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n_samples, p=SHARES)
    center = 3.0 * np.array([-1.0, 0.0, 1.0])[kind]
    x = rng.normal(center)
    log_density = np.log(SHARES)[kind] + stats.norm.logpdf(x - center)
    frame = pd.DataFrame(
        {"x": x, "kind": pd.Categorical(np.array(["a", "b", "c"])[kind])}
    )
    return frame, log_density


def chain(flow, **settings):
    return make_destructor_pipeline(
        CategoryDequantizer(random_state=0, **settings), flow
    )


def test_alone_it_gives_each_category_its_probability():
    frame, _ = table(500)
    model = CategoryDequantizer(alpha=0.5, random_state=0).fit(frame[["kind"]])
    counts = frame["kind"].value_counts()
    expected = np.log((counts + 0.5) / (500.0 + 4 * 0.5))
    scores = model.score_samples(frame[["kind"]])
    np.testing.assert_allclose(scores, expected[frame["kind"]].to_numpy())
    unseen = model.score_samples(pd.DataFrame({"kind": ["q", "r"]}))
    np.testing.assert_allclose(unseen, np.log(0.5 / 502.0))


def test_latents_are_normal_and_ordered_by_frequency():
    frame, _ = table(3000)
    model = CategoryDequantizer(handle_unknown="error", random_state=0)
    Z = model.fit(frame).transform(frame)
    assert (Z[:, 0] == frame["x"]).all()
    assert stats.kstest(Z[:, 1], stats.norm.cdf).pvalue > 1e-3
    order = frame["kind"].value_counts().index
    tops = [Z[frame["kind"] == kind, 1].max() for kind in order]
    assert tops == sorted(tops)
    assert (np.diff(model.probabilities_[0]) <= 0).all()
    assert model.columns_.tolist() == [1]


def test_log_det_is_the_size_of_the_interval_over_the_density():
    frame, _ = table(400)
    model = CategoryDequantizer(handle_unknown="error", random_state=0).fit(frame)
    Z, log_det = model.transform_and_log_det(frame)
    shares = (frame["kind"].value_counts() + 1.0) / 403.0
    expected = np.log(shares[frame["kind"]].to_numpy()) - stats.norm.logpdf(Z[:, 1])
    np.testing.assert_allclose(log_det, expected)
    np.testing.assert_allclose(model.inverse_and_log_det(Z)[1], -expected)


@pytest.mark.parametrize(
    "flow",
    [TreeFlow(n_components=[4, 8], cv=None, random_state=0), RBIG(random_state=0)],
    ids=["TreeFlow", "RBIG"],
)
def test_scores_are_a_bound_that_comes_near(flow):
    frame, _ = table(3000)
    test, log_density = table(10_000, seed=1)
    model = chain(flow).fit(frame)
    gap = log_density - model.score_samples(test)
    error = gap.std() / np.sqrt(len(gap))
    assert -3.0 * error < gap.mean() < 0.25
    # Without the relation it would be the information between the columns.
    apart = chain(Standardize()).fit(frame).score(test)
    assert model.score(test) > apart + 0.3


def test_rows_come_back_with_their_dtypes():
    frame, _ = table(800)
    frame["mark"] = np.where(frame["x"] > 0, "up", "down")
    frame["open"] = frame["x"] > 1
    model = chain(RBIG(max_iter=5, random_state=0)).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    pd.testing.assert_frame_equal(back, frame, rtol=1e-9)
    samples = model.sample(500, random_state=0)
    assert (samples.dtypes == frame.dtypes).all()
    agree = (samples["x"] > 0) == (samples["mark"] == "up")
    # By chance half of them would.
    assert agree.mean() > 0.7


def test_frames_of_polars():
    pl = pytest.importorskip("polars")
    frame, _ = table(500)
    frame["kind"] = frame["kind"].astype(str)
    other = pl.DataFrame(frame.to_dict(orient="list"))
    model = CategoryDequantizer(random_state=0).fit(other)
    assert model.columns_.tolist() == [1]
    np.testing.assert_array_equal(
        model.score_samples(other),
        CategoryDequantizer(random_state=0).fit(frame).score_samples(frame),
    )
    back = model.inverse_transform(model.transform(other))
    assert back.schema == other.schema
    assert back["kind"].equals(other["kind"])
    samples = chain(RBIG(max_iter=2, random_state=0)).fit(other).sample(50)
    assert samples.schema == other.schema
    named = CategoryDequantizer(["kind"], random_state=0).fit(other)
    np.testing.assert_array_equal(named.transform(other), model.transform(other))


def test_a_table_of_categories_alone():
    frame, _ = table(300)
    model = CategoryDequantizer(random_state=0).fit(frame[["kind"]])
    Z = model.transform(frame[["kind"]])
    assert (np.unique(Z) % 1).all()
    pd.testing.assert_frame_equal(model.inverse_transform(Z), frame[["kind"]])


def test_a_saved_one_is_the_same(tmp_path):
    frame, _ = table(300)
    model = chain(Standardize(), handle_missing="category").fit(frame)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    rows = frame.assign(kind=frame["kind"].cat.add_categories("new")).tail(20)
    rows.loc[rows.index[:5], "kind"] = "new"
    np.testing.assert_array_equal(density.logpdf(rows), model.score_samples(rows))
    Z, log_det = density.forward(frame)
    back, gained = density.inverse(Z)
    pd.testing.assert_frame_equal(back, frame)
    np.testing.assert_allclose(gained, -log_det, rtol=1e-12)


def test_columns_in_another_order_are_called_that():
    frame, _ = table(300)
    model = CategoryDequantizer(handle_unknown="error").fit(frame)
    with pytest.raises(ValueError, match="order"):
        model.transform(frame[["kind", "x"]])


def test_what_follows_knows_that_there_are_no_codes_left():
    # A second one finds nothing to spread.
    frame, _ = table(300)
    first, second = CategoryDequantizer(random_state=0), CategoryDequantizer()
    model = make_destructor_pipeline(first, second).fit(frame)
    assert model[1].columns_.tolist() == []
    np.testing.assert_array_equal(
        model.score_samples(frame), first.fit(frame).score_samples(frame)
    )


def test_ways_to_choose_columns():
    frame, _ = table(300)
    for columns in (["kind"], [1], make_column_selector(dtype_include="category")):
        model = CategoryDequantizer(columns, random_state=0).fit(frame)
        assert model.columns_.tolist() == [1]
    codes = frame.assign(kind=frame["kind"].cat.codes).to_numpy()
    by_place = CategoryDequantizer([1], random_state=0).fit(codes)
    assert (by_place.inverse_transform(by_place.transform(codes)) == codes).all()
    assert CategoryDequantizer().fit(codes).columns_.tolist() == []


def test_wrong_columns_and_values():
    frame, _ = table(300)
    with pytest.raises(ValueError, match=r"The columns \(\['sort'\]\) are not in X"):
        CategoryDequantizer(["sort"]).fit(frame)
    model = chain(Standardize(), handle_unknown="error").fit(frame)
    with pytest.raises(ValueError, match="not seen in fit in 300 row"):
        model.score_samples(frame.assign(kind="q"))
    frame.loc[3, "kind"] = None
    with pytest.raises(ValueError, match=r"missing value in 1 row.*kind"):
        CategoryDequantizer().fit(frame)
    kept = CategoryDequantizer(handle_missing="category", random_state=0).fit(frame)
    back = kept.inverse_transform(kept.transform(frame))
    assert (back["kind"].isna() == frame["kind"].isna()).all()


def test_weights_count_rows():
    frame, _ = table(300)
    weight = np.random.default_rng(0).integers(0, 3, size=300)
    weighted = CategoryDequantizer().fit(frame, sample_weight=weight)
    repeated = CategoryDequantizer().fit(frame.loc[frame.index.repeat(weight)])
    np.testing.assert_allclose(weighted.probabilities_, repeated.probabilities_)


def test_noise_is_of_the_row_alone_but_fits_see_whole_intervals():
    frame = pd.DataFrame({"kind": ["a"] * 500 + ["b"] * 500})
    model = chain(RBIG(max_iter=2, early_stopping=False, random_state=0)).fit(frame)
    assert len(np.unique(model.transform(frame))) == 2
    # Had the fit seen two points only, samples would be no mixture of both.
    share = (model.sample(2000, random_state=0)["kind"] == "a").mean()
    assert share == pytest.approx(0.5, abs=0.05)


def test_a_category_next_to_one_that_weighs_all_comes_back():
    X = pd.DataFrame({"kind": pd.Categorical(["a", "b", "c", "b"])})
    model = CategoryDequantizer(random_state=0)
    model.fit(X, sample_weight=[1e300, 1.0, 1.0, 1.0])
    back = model.inverse_transform(model.transform(X))
    pd.testing.assert_frame_equal(back, X)


def test_latents_of_any_size_are_those_of_a_category():
    """Turned with a number that is far out, the latent of a category is as well."""
    model = CategoryDequantizer(random_state=0).fit(pd.DataFrame({"kind": list("aab")}))
    Z = np.array([[-1e300], [1e200], [0.0]])
    back, log_det = model.inverse_and_log_det(Z)
    assert set(back["kind"]) <= {"a", "b", "unknown"}
    assert np.isfinite(log_det).all()


@pytest.mark.parametrize("far", [1e3, 1e6])
def test_categories_come_back_beside_numbers_far_out(far):
    frame, _ = table(300)
    model = chain(RBIG(max_iter=3, random_state=0)).fit(frame)
    rows = frame.assign(x=far * np.sign(frame["x"]))
    Z = model.transform(rows)
    assert np.abs(Z).max(axis=1).min() > 0.01 * far
    back = model.inverse_transform(Z)
    assert (back["kind"] == rows["kind"]).all()
    np.testing.assert_allclose(back["x"], rows["x"], rtol=1e-9)
