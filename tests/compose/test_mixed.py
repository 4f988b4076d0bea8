"""ColumnDestructor on tables with discrete and continuous columns."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.compose import make_column_selector

import destructors
from destructors.base_distributions import IndependentCategorical, JointDistribution
from destructors.compose import (
    ColumnDestructor,
    DestructorPipeline,
    make_destructor_pipeline,
)
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.flows import RBIG, DiscreteTreeFlow
from destructors.linear import Standardize
from destructors.marginal import SplineGaussianizer
from destructors.testing import check_destructor


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green", "blue"], 600, p=[0.5, 0.3, 0.2])
    shape = np.where(color == "red", "round", rng.choice(["flat", "odd"], 600))
    return pd.DataFrame(
        {
            "size": rng.normal(3.0, 2.0, size=600),
            "color": pd.Categorical(color),
            "weight": rng.gamma(2.0, size=600).astype(np.float32),
            "shape": shape,
            "grade": rng.integers(1, 5, size=600).astype(np.int8),
        }
    )


def make_model(**settings):
    return ColumnDestructor(
        [
            ("kind", DiscreteTreeFlow(random_state=0, **settings), ["shape", "color"]),
            ("real", RBIG(max_iter=2, random_state=0), ["size", "weight"]),
            ("grade", CategoricalBase(random_state=0, **settings), ["grade"]),
        ]
    )


def test_log_density_is_the_sum_over_the_groups(frame):
    model = make_model().fit(frame)
    parts = model.named_destructors_
    expected = (
        parts.kind.score_samples(frame[["shape", "color"]])
        + parts.real.score_samples(frame[["size", "weight"]].astype(float))
        + parts.grade.score_samples(frame[["grade"]])
    )
    np.testing.assert_allclose(model.score_samples(frame), expected, rtol=1e-12)


def test_closed_form():
    rng = np.random.default_rng(0)
    X = np.stack([rng.integers(0, 2, size=400), rng.normal(size=400)], axis=1)
    base = CategoricalBase(structure="independent", alpha=1.0, handle_unknown="error")
    model = ColumnDestructor([("code", base, [0])], Standardize()).fit(X)
    share = (X[:, 0].sum() + 1.0) / 402.0
    mean, scale = X[:, 1].mean(), X[:, 1].std()
    expected = np.log(np.where(X[:, 0] == 1, share, 1.0 - share))
    expected += stats.norm.logpdf(X[:, 1], mean, scale)
    np.testing.assert_allclose(model.score_samples(X), expected)


def test_rows_come_back_with_their_dtypes(frame):
    model = make_model().fit(frame)
    back = model.inverse_transform(model.transform(frame))
    discrete = ["color", "shape", "grade"]
    pd.testing.assert_frame_equal(back[discrete], frame[discrete])
    pd.testing.assert_frame_equal(back, frame, rtol=1e-6)


def test_samples_have_the_dtypes_and_the_distribution(frame):
    model = make_model(handle_unknown="error").fit(frame)
    samples = model.sample(4000, random_state=0)
    assert (samples.dtypes == frame.dtypes).all()
    cells = frame.groupby(["color", "shape"], observed=True).size().index
    seen = samples.groupby(["color", "shape"], observed=True).size()
    flow = model.named_destructors_.kind
    table = pd.DataFrame(
        {"shape": cells.get_level_values(1), "color": cells.get_level_values(0)}
    )
    table["color"] = table["color"].astype(frame["color"].dtype)
    expected = 4000 * np.exp(flow.score_samples(table))
    observed = seen.reindex(cells).to_numpy()
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(statistic, len(cells)) > 1e-4
    # Colours follow the size no more than in the model: not at all.
    red = samples["size"][samples["color"] == "red"]
    assert stats.ks_2samp(red, samples["size"]).pvalue > 1e-4


def test_law(frame):
    codes = frame.assign(
        color=frame["color"].cat.codes, shape=pd.factorize(frame["shape"])[0]
    ).to_numpy(float)
    model = ColumnDestructor(
        [
            ("kind", DiscreteTreeFlow(handle_unknown="error"), [1, 3]),
            ("grade", TreePermutation(), [4]),
        ],
        SplineGaussianizer(),
    )
    results = check_destructor(model, X=codes)
    assert {r["status"] for r in results} == {"passed", "skipped"}


def test_arrays_of_objects_give_arrays_of_objects(frame):
    X = frame.to_numpy(object)
    model = ColumnDestructor(
        [("kind", DiscreteTreeFlow(random_state=0), [1, 3, 4])], SplineGaussianizer()
    ).fit(X)
    back = model.inverse_transform(model.transform(X))
    assert (back[:, [1, 3, 4]] == X[:, [1, 3, 4]]).all()
    assert set(model.sample(50, random_state=0)[:, 1]) <= {"red", "green", "blue"}


def test_frames_of_polars(frame):
    pl = pytest.importorskip("polars")
    table = pl.DataFrame(frame.to_dict(orient="list")).with_columns(
        pl.col("color").cast(pl.Enum(["blue", "green", "red"])),
        pl.col("grade").cast(pl.Int8),
    )
    model = make_model().fit(table)
    np.testing.assert_allclose(
        model.score_samples(table), make_model().fit(frame).score_samples(frame)
    )
    back = model.inverse_transform(model.transform(table))
    assert back.schema == table.schema
    for name in ("color", "shape", "grade"):
        assert back[name].equals(table[name])
    assert model.sample(5, random_state=0).schema == table.schema
    kind = model.named_destructors_.kind
    assert kind.sample(5, random_state=0).columns == ["shape", "color"]


def test_a_saved_one_is_the_same(frame, tmp_path):
    model = make_model().fit(frame)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(density.logpdf(frame), model.score_samples(frame))
    pd.testing.assert_frame_equal(
        density.sample(20, random_state=0), model.sample(20, random_state=0)
    )


def test_chains_and_columns_of_codes_are_groups_too(frame):
    chain = make_destructor_pipeline(TreePermutation(), CategoricalBase(random_state=0))
    grade = ColumnDestructor([("grade", CategoricalBase(random_state=0), ["grade"])])
    model = ColumnDestructor(
        [("kind", chain, ["shape", "color"]), ("rest", grade, ["weight", "grade"])],
        Standardize(),
    ).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    pd.testing.assert_frame_equal(back, frame, rtol=1e-6)
    parts = model.named_destructors_
    expected = (
        parts.kind.score_samples(frame[["shape", "color"]])
        + parts.rest.score_samples(frame[["weight", "grade"]])
        + parts.remainder.score_samples(frame[["size"]])
    )
    np.testing.assert_allclose(model.score_samples(frame), expected, rtol=1e-12)
    assert (model.sample(5, random_state=0).dtypes == frame.dtypes).all()


def test_a_table_of_codes_alone(frame):
    table = frame[["grade", "shape"]]
    model = ColumnDestructor(
        [("grade", CategoricalBase(random_state=0), ["grade"])], TreePermutation()
    ).fit(table)
    back = model.inverse_transform(model.transform(table))
    pd.testing.assert_frame_equal(back, table)


def test_columns_in_another_order_are_called_that(frame):
    model = make_model(handle_unknown="error").fit(frame)
    with pytest.raises(ValueError, match="order"):
        model.score_samples(frame[frame.columns[::-1]])


def test_selectors_see_the_table_as_it_came(frame):
    choose = make_column_selector(dtype_exclude="number")
    model = ColumnDestructor([("kind", DiscreteTreeFlow(), choose)], RBIG(max_iter=1))
    model.fit(frame)
    named = {name: columns.tolist() for name, _, columns in model.destructors_}
    assert named == {"kind": [1, 3], "remainder": [0, 2, 4]}
    assert set(model.named_destructors_.kind.feature_names_in_) == {"color", "shape"}


def test_a_discrete_remainder(frame):
    model = ColumnDestructor(
        [("real", SplineGaussianizer(), ["size", "weight"])], TreePermutation()
    ).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    assert (
        back[["color", "shape", "grade"]] == frame[["color", "shape", "grade"]]
    ).all(axis=None)


def test_weights_equal_repeated_rows(frame):
    weight = np.random.default_rng(0).integers(0, 3, size=len(frame))
    weighted = make_model().fit(frame, sample_weight=weight)
    repeated = make_model().fit(frame.loc[frame.index.repeat(weight)])
    rows = frame[weight > 0]
    np.testing.assert_allclose(
        weighted.score_samples(rows), repeated.score_samples(rows), atol=1e-6
    )


def test_unseen_categories(frame):
    new = frame.head(3).assign(shape=["oval", "round", "flat"])
    scores = make_model().fit(frame).score_samples(new)
    assert np.isfinite(scores).all()
    model = make_model(handle_unknown="error").fit(frame)
    with pytest.raises(ValueError, match=r"not seen in fit in 1 row\(s\).*shape"):
        model.score_samples(new)


def test_unseen_categories_are_not_drawn(frame):
    model = make_model().fit(frame.head(20))
    samples = model.sample(3000, random_state=0)
    assert set(samples["shape"]) == set(frame["shape"].head(20))


def test_latent_rows_must_have_codes(frame):
    model = make_model().fit(frame)
    Z = model.transform(frame)
    Z[0, 3] = 0.5
    with pytest.raises(ValueError, match="must be integer codes"):
        model.inverse_transform(Z)


def test_nothing_follows_in_a_pipeline(frame):
    kind = ColumnDestructor([("kind", DiscreteTreeFlow(), [0])])
    pipeline = DestructorPipeline([("columns", kind), ("scale", Standardize())])
    X = frame[["grade", "size"]]
    with pytest.raises(ValueError, match="'columns' has discrete columns"):
        pipeline.fit(X)


def test_joint_distribution_keeps_groups_apart():
    first = IndependentCategorical([[0.2, 0.8]])
    second = IndependentCategorical([[0.5, 0.5], [0.1, 0.9]])
    joint = JointDistribution((second, first), ([2, 0], [1]))
    Z = np.array([[0, 1, 1]])
    assert joint.logpdf(Z) == pytest.approx(np.log(0.1 * 0.8 * 0.5))
    samples = joint.sample(20_000, np.random.RandomState(0))
    np.testing.assert_allclose(samples.mean(axis=0), [0.9, 0.8, 0.5], atol=0.02)
