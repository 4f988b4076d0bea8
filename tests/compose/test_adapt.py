"""as_destructor: what scikit-learn's transformers do, and what that does to volume."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import load_wine
from sklearn.decomposition import NMF, PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

import destructors
from destructors.base_distributions import Uniform
from destructors.compose import (
    DestructorPipeline,
    TransformerDestructor,
    as_destructor,
    make_destructor_pipeline,
)
from destructors.flows import RBIG
from destructors.linear import Standardize
from destructors.marginal import NormalCDF, SplineGaussianizer
from destructors.testing import check_destructor

SAME = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler(),
    MinMaxScaler(feature_range=(-1, 3)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    PCA(),
    PCA(whiten=True),
    PowerTransformer(),
    PowerTransformer(standardize=False),
    PowerTransformer(method="box-cox"),
    PowerTransformer(method="box-cox", standardize=False),
    FunctionTransformer(),
]


@pytest.fixture
def positive():
    rng = np.random.default_rng(0)
    return rng.gamma(2.0, size=(400, 3)) @ [[1, 0.5, 0], [0, 1, 0.3], [0, 0, 10.0]]


@pytest.mark.parametrize("transformer", SAME, ids=str)
def test_maps_as_the_transformer_does(transformer, positive):
    model = as_destructor(transformer).fit(positive)
    expected = transformer.fit(positive).transform(positive)
    np.testing.assert_allclose(model.transform(positive), expected, atol=1e-9)
    np.testing.assert_allclose(
        model.inverse_transform(expected), positive, rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("transformer", SAME, ids=str)
def test_log_determinant_is_that_of_the_map(transformer, positive):
    model = as_destructor(transformer).fit(positive)
    x, step = positive[:20], 1e-6
    columns = [
        (model.transform(x + step * e) - model.transform(x - step * e)) / (2 * step)
        for e in np.eye(3)
    ]
    numerical = np.linalg.slogdet(np.stack(columns, axis=2))[1]
    np.testing.assert_allclose(model.transform_and_log_det(x)[1], numerical, atol=1e-5)


def test_standard_scaler_takes_weights():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(50, 2)), rng.uniform(size=50)
    adapted = as_destructor(StandardScaler()).fit(X, sample_weight=weight)
    own = Standardize().fit(X, sample_weight=weight)
    np.testing.assert_allclose(adapted.score_samples(X), own.score_samples(X))


@pytest.mark.parametrize("transformer", [RobustScaler(), PCA(), PowerTransformer()])
def test_fractional_weights_for_those_that_take_none(transformer, positive):
    name = type(transformer).__name__
    with pytest.raises(ValueError, match=f"{name} takes no sample_weight, so only int"):
        as_destructor(transformer).fit(positive, sample_weight=np.full(400, 0.5))


# ---------------------------------------------------------------- beyond the range


@pytest.mark.parametrize("skew", [-1.0, 1.0])
def test_power_transformer_is_a_bijection_of_the_line(skew):
    # Skewness sends the exponent beyond 2 or below 0, where the range is bounded.
    x = skew * np.random.default_rng(0).lognormal(0.0, 1.0, size=(500, 1))
    transformer = PowerTransformer().fit(x)
    model = as_destructor(PowerTransformer()).fit(x)
    far = np.array([[-1e6], [-50.0], [50.0], [1e6]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not np.isfinite(transformer.inverse_transform(far)).all()
    X, log_det = model.inverse_and_log_det(far)
    assert np.isfinite(X).all()
    assert np.isfinite(log_det).all()
    np.testing.assert_allclose(model.transform(X), far, rtol=1e-8)
    assert (np.diff(X[:, 0]) > 0).all()


def test_box_cox_continues_below_zero():
    x = np.random.default_rng(0).lognormal(size=(500, 1))
    model = as_destructor(PowerTransformer(method="box-cox")).fit(x)
    scores = model.score_samples([[-1.0], [0.0], [x.min()]])
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()
    with pytest.raises(ValueError, match="strictly positive"):
        as_destructor(PowerTransformer(method="box-cox")).fit(-x)


def test_numbers_that_are_too_large_for_a_transformer_are_blamed():
    x = np.array([-1.3e146, 5.9e141, 1.4e111, -9.9e13, 2.4, 1.0, 0.3])[:, None]
    with pytest.raises(ValueError, match=r"PowerTransformer cannot be fitted.*Scale"):
        as_destructor(PowerTransformer()).fit(x)
    # Of scaled columns the same is true: its own words will do.
    with pytest.raises(ValueError, match=r"positive data$"):
        as_destructor(PowerTransformer(method="box-cox")).fit(1e-3 * x)


def test_quantile_transformer_agrees_inside_and_goes_on_outside():
    x = np.random.default_rng(0).gamma(2.0, size=(1000, 1))
    transformer = QuantileTransformer(n_quantiles=50, output_distribution="normal")
    model = as_destructor(transformer).fit(x)
    expected = transformer.fit(x).transform(x)
    np.testing.assert_allclose(
        stats.norm.cdf(model.transform(x)), stats.norm.cdf(expected), atol=2e-7
    )
    outside = np.array([[-2.0], [-1.0], [x.max() + 1.0], [x.max() + 2.0]])
    Z = model.transform(outside)
    assert (np.diff(Z[:, 0]) > 0).all()
    np.testing.assert_allclose(model.inverse_transform(Z), outside, atol=1e-8)
    assert np.isfinite(model.score_samples(outside)).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_value_lies_beside_an_edge_of_quantiles_by_rounding(seed):
    rng = np.random.default_rng(seed)
    X = np.round(rng.lognormal(3.0, 1.0, (200, 3)), 2)
    transformer = QuantileTransformer(n_quantiles=200, output_distribution="normal")
    model = as_destructor(transformer).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=1e-12)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-9)


def test_uniform_output_has_the_uniform_base():
    x = np.random.default_rng(0).gamma(2.0, size=(1000, 1))
    transformer = QuantileTransformer(n_quantiles=50)
    model = as_destructor(transformer).fit(x)
    assert isinstance(model.base_distribution_, Uniform)
    np.testing.assert_allclose(
        model.transform(x), transformer.fit(x).transform(x), atol=2e-7
    )
    same = QuantileTransformer(n_quantiles=50, output_distribution="normal")
    chain = make_destructor_pipeline(as_destructor(same), NormalCDF()).fit(x)
    np.testing.assert_allclose(chain.score_samples(x), model.score_samples(x))


def test_repeated_quantiles_are_merged():
    x = np.r_[np.zeros(300), np.random.default_rng(0).exponential(size=300)][:, None]
    for values in (x, x - 0.5 * (x > 1.0), np.full((50, 1), 2.0)):
        model = as_destructor(
            QuantileTransformer(n_quantiles=50, output_distribution="normal")
        ).fit(values)
        Z, log_det = model.transform_and_log_det(values)
        assert np.isfinite(log_det).all()
        np.testing.assert_allclose(model.inverse_transform(Z), values, atol=1e-8)


# ---------------------------------------------------------------- functions


def log_det_of_log(X):
    return -np.log(X).sum(axis=1)


def test_function_with_its_log_jacobian(positive):
    logarithm = FunctionTransformer(np.log, np.exp)
    model = as_destructor(logarithm, log_det=log_det_of_log).fit(positive)
    np.testing.assert_allclose(
        model.score_samples(positive), stats.lognorm.logpdf(positive, 1.0).sum(axis=1)
    )
    chain = make_destructor_pipeline(model, Standardize()).fit(positive)
    assert (chain.sample(100, random_state=0) > 0).all()
    with pytest.raises(ValueError, match="gives NaN or infinity"):
        model.transform([[-1.0, 1.0, 1.0]])


def test_one_number_for_all_rows_will_do(positive):
    double = FunctionTransformer(twice, half)
    model = as_destructor(double, log_det=lambda X: 3 * np.log(2.0)).fit(positive)
    truth = stats.norm.logpdf(2.0 * positive).sum(axis=1) + 3 * np.log(2.0)
    np.testing.assert_allclose(model.score_samples(positive), truth)


def test_one_without_a_function_is_the_identity(positive):
    model = as_destructor(FunctionTransformer()).fit(positive)
    truth = stats.norm.logpdf(positive).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(positive), truth)
    assert list(model.get_feature_names_out()) == ["x0", "x1", "x2"]


def twice(X):
    return 2.0 * X


def half(X):
    return 0.5 * X


def test_wrong_log_jacobians(positive):
    model = as_destructor(FunctionTransformer(twice, half), log_det=lambda X: X)
    with pytest.raises(ValueError, match="one number a row"):
        model.fit(positive).transform(positive)
    drop = FunctionTransformer(lambda X: X[:, :1], lambda X: X, check_inverse=False)
    with pytest.raises(ValueError, match="no one-to-one map"):
        as_destructor(drop, log_det=lambda X: 0.0).fit(positive).transform(positive)


# ---------------------------------------------------------------- files

QUANTILES = [
    QuantileTransformer(n_quantiles=50),
    QuantileTransformer(n_quantiles=50, output_distribution="normal"),
]


@pytest.mark.parametrize("transformer", [*SAME, *QUANTILES], ids=str)
def test_a_saved_one_is_the_same(transformer, positive, tmp_path):
    model = as_destructor(transformer).fit(positive)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    far = np.concatenate([positive, 3.0 * positive, -positive])
    np.testing.assert_array_equal(density.logpdf(far), model.score_samples(far))
    np.testing.assert_array_equal(
        density.sample(20, random_state=0), model.sample(20, random_state=0)
    )


def test_functions_are_pickled_but_not_saved(positive, tmp_path):
    model = as_destructor(FunctionTransformer(twice, half), log_det=log_det_of_log)
    chain = make_destructor_pipeline(model, Standardize()).fit(positive)
    copy = pickle.loads(pickle.dumps(chain))
    np.testing.assert_array_equal(
        copy.score_samples(positive), chain.score_samples(positive)
    )
    with pytest.raises(TypeError, match="is a FunctionTransformer, which is no data"):
        destructors.save(chain, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (
            FunctionTransformer(np.log, np.exp),
            "Jacobian of FunctionTransformer is not",
        ),
        (FunctionTransformer(np.log), "give it inverse_func"),
        (KBinsDiscretizer(), "Jacobian of KBinsDiscretizer is not known"),
        (Normalizer(), "Normalizer has no inverse_transform"),
        (SplineTransformer(), "SplineTransformer has no inverse_transform"),
        (NMF(), "Jacobian of NMF is not known"),
        (KMeans(), "KMeans has no inverse_transform"),
        (EmpiricalCovariance(), "EmpiricalCovariance is no transformer"),
        (StandardScaler, "StandardScaler is a class: give an instance"),
        ("scale", "str is no transformer"),
        (None, "NoneType is no transformer"),
    ],
    ids=str,
)
def test_without_known_jacobian(transformer, message):
    with pytest.raises(TypeError, match=message):
        as_destructor(transformer)
    with pytest.raises(TypeError, match="'bad' must be a Destructor"):
        DestructorPipeline([("bad", transformer)]).fit(np.ones((5, 1)))


class Doubled(StandardScaler):
    """A subclass may do anything."""


class Squared(FunctionTransformer):
    """This one, too."""


def test_more_refusals():
    with pytest.raises(TypeError, match="Jacobian of Doubled is not known"):
        as_destructor(Doubled())
    with pytest.raises(TypeError, match="Jacobian of Squared is not known"):
        as_destructor(Squared())
    with pytest.raises(TypeError, match="Jacobian of PCA is known: leave log_det out"):
        as_destructor(PCA(), log_det=log_det_of_log)
    with pytest.raises(TypeError, match="log_det of its own"):
        as_destructor(Standardize(), log_det=log_det_of_log)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (PCA(2), "PCA keeps 2 of 3 components"),
        (MinMaxScaler(clip=True), r"MinMaxScaler\(clip=True\) cannot be inverted"),
        (MaxAbsScaler(clip=True), r"MaxAbsScaler\(clip=True\) cannot be inverted"),
    ],
    ids=str,
)
def test_what_cannot_be_inverted(transformer, message, positive):
    with pytest.raises(ValueError, match=message):
        as_destructor(transformer).fit(positive)


def test_whitening_of_collinear_columns(positive):
    positive[:, 2] = positive[:, 0] + positive[:, 1]
    with pytest.raises(ValueError, match="linear combinations of each other"):
        as_destructor(PCA(whiten=True)).fit(positive)


# ---------------------------------------------------------------- in a pipeline


def test_destructors_are_given_back():
    model = Standardize()
    assert as_destructor(model) is model


def test_pipeline_adapts_its_steps_and_keeps_its_parameters():
    X = load_wine().data
    pipeline = make_destructor_pipeline(StandardScaler(), PowerTransformer(), PCA())
    assert [name for name, _ in pipeline.steps] == [
        "standardscaler",
        "powertransformer",
        "pca",
    ]
    pipeline.set_params(powertransformer__standardize=False).fit(X)
    assert isinstance(pipeline[1], TransformerDestructor)
    assert not pipeline[1].transformer_.standardize
    theirs = Pipeline(pipeline.steps).fit(X)
    np.testing.assert_allclose(pipeline.transform(X), theirs.transform(X), atol=1e-8)
    np.testing.assert_allclose(
        pipeline.inverse_transform(pipeline.transform(X)), X, rtol=1e-8
    )


def area(density):
    """Integral over the plane of exp(score_samples), on a grid."""
    x = np.linspace(-30.0, 90.0, 301)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    return np.exp(density.score_samples(grid)).sum() * (x[1] - x[0]) ** 2


def test_integral_of_sklearn_pipeline_and_destructor_pipeline():
    rng = np.random.default_rng(0)
    X = 10.0 + 5.0 * rng.gamma(3.0, size=(600, 2)) @ [[1.0, 0.5], [0.0, 1.0]] / 3.0
    steps = [
        ("scale", StandardScaler()),
        ("power", PowerTransformer()),
        ("rbig", RBIG(max_iter=3, early_stopping=False, random_state=0)),
    ]
    ours = DestructorPipeline(steps).fit(X)
    assert area(ours) == pytest.approx(1.0, abs=0.01)
    # The change of volume by the first two steps, some factor 20, is lost.
    theirs = Pipeline(steps).fit(X)
    assert area(theirs) > 5.0
    results = check_destructor(DestructorPipeline(steps), X=X)
    assert {result["status"] for result in results} == {"passed"}


def test_base_of_a_middle_step_does_not_matter():
    x = np.random.default_rng(0).gamma(2.0, size=(300, 1))
    chain = make_destructor_pipeline(
        QuantileTransformer(n_quantiles=20), SplineGaussianizer()
    )
    assert np.isfinite(chain.fit(x).score(x))


def test_a_value_too_large_for_pca_is_a_clear_error_or_a_map():
    X = np.random.default_rng(0).normal(size=(20, 2))
    X[0, 0] = 1e300
    with pytest.raises(ValueError, match=r"PCA.*[sS]cale the features"):
        as_destructor(PCA(whiten=True)).fit(X)


def test_pca_of_equal_rows_turns_them_without_a_warning():
    X = np.ones((2, 2))
    np.testing.assert_array_equal(
        as_destructor(PCA()).fit_transform(X), np.zeros(X.shape)
    )


def test_a_quantile_transformer_takes_values_whose_squares_overflow():
    X = np.array([[1e300], [0.0], [1.0], [2.0]])
    model = as_destructor(QuantileTransformer(n_quantiles=4)).fit(X)
    assert np.isfinite(model.transform(X)).all()


def test_weights_that_stand_for_too_many_rows_are_refused():
    X, weight = np.eye(2), np.array([1e15, 1.0])
    with pytest.raises(ValueError, match="divide sample_weight"):
        as_destructor(PCA()).fit(X, sample_weight=weight)


def test_a_quantile_transformer_keeps_the_digits_of_tiny_values_of_little_weight():
    X = 1e-300 * np.random.default_rng(0).normal(size=(100, 1))
    weight = np.where(np.arange(100) == 0, 1e5, 1.0)
    transformer = QuantileTransformer(n_quantiles=5, output_distribution="normal")
    transformer.set_params(random_state=0)
    model = as_destructor(transformer).fit(X, sample_weight=weight)
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(1e300 * back, 1e300 * X, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("mean", [1e2, 1e4, 1e6])
def test_powers_of_columns_far_from_zero_keep_their_digits(mean, side, method):
    if method == "box-cox" and side < 0.0:
        return
    noise = np.random.default_rng(0).lognormal(0.0, 0.1, size=(500, 1))
    X = side * (mean + noise)
    model = as_destructor(PowerTransformer(method=method)).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(back, X, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-8)
    np.testing.assert_allclose([Z.mean(), Z.std()], [0.0, 1.0], atol=1e-8)


@pytest.mark.parametrize("value", [0.1, 1e33, -1.5e308])
def test_powers_of_one_number_are_saved(value, tmp_path):
    """It has ends on both sides, though 1 is nothing beside it, and slopes there."""
    X = np.full((20, 1), value)
    model = as_destructor(PowerTransformer()).fit(X)
    Z = np.array([[-1e3], [0.0], [1e3]])
    assert np.isfinite(model.inverse_transform(Z)).all()
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(density.logpdf(X), model.score_samples(X))


def test_powers_beside_one_number_near_the_largest_have_one_density():
    """Rows about zero are on either side of it, as far as float64 can tell."""
    X = np.array([[0.5], [-0.5], [1.0], [-1.2]] + [[1e300]] * 8)
    model = as_destructor(PowerTransformer()).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    _, log_det_back = model.inverse_and_log_det(Z)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-6)


@pytest.mark.parametrize("unit", [1.0, -1.0])
def test_latents_far_out_of_powers_near_the_largest_number_are_finite(unit):
    X = unit * np.array([[1.23e308], [1.36e308]])
    model = as_destructor(PowerTransformer()).fit(X)
    for way in (model.inverse_and_log_det, model.transform_and_log_det):
        for values in way(np.array([[-1e5], [1e5], [1e308], [-1e308]])):
            assert np.isfinite(values).all()
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-12)


def test_powers_across_zero_are_those_of_the_transformer():
    X = np.random.default_rng(0).normal(0.5, 1.0, size=(500, 2)) * [1.0, -1.0]
    transformer = PowerTransformer().fit(X)
    model = as_destructor(PowerTransformer()).fit(X)
    Z, log_det = model.transform_and_log_det(X)
    np.testing.assert_allclose(Z, transformer.transform(X), atol=1e-12)
    step = 1e-6
    slopes = (model.transform(X + step) - model.transform(X - step)) / (2.0 * step)
    np.testing.assert_allclose(log_det, np.log(slopes).sum(axis=1), atol=1e-5)


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1.0, 1e9])
def test_where_all_quantiles_are_one_number_others_come_back(unit):
    """One row of most of the weight is all quantiles; the scale is that of the rest."""
    X = unit * np.array([[0.3], [0.7], [-2.1], [-1.1]])
    transformer = QuantileTransformer(n_quantiles=5, output_distribution="normal")
    model = as_destructor(transformer)
    model.fit(X, sample_weight=[1e6, 1.0, 1.0, 1.0])
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(back, X, rtol=1e-6)
