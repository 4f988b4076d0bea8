"""A density as C: compiled by the system's compiler, it scores as the density does."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from destructors import RBIG, DiscreteTreeFlow, GaussianCopula, TreeFlow
from destructors.base_distributions import StandardNormal, Uniform
from destructors.maps import (
    Affine,
    BoostedRosenblatt,
    Chain,
    CubeSteps,
    Density,
    HistogramColumns,
    Identity,
    NormalToUniform,
    QuadraticSpline,
    RationalQuadraticSpline,
    Rosenblatt,
    Switch,
    Trees,
    to_c,
)
from tests.maps.test_rosenblatt import constant_second

COMPILER = shutil.which("cc")
FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]


def compile_and_score(density, X, folder, name="score"):
    """Return the scores of the compiled file, row by row and all together."""
    if COMPILER is None:
        pytest.skip("There is no C compiler, cc, on this machine.")
    source, library = folder / "model.c", folder / "model.so"
    to_c(density, source, name=name)
    how = [COMPILER, *FLAGS, "-shared", "-fPIC", source, "-o", library, "-lm"]
    subprocess.run(how, check=True)
    compiled, X = ctypes.CDLL(library), np.ascontiguousarray(X)
    one, many = compiled[name], compiled[f"{name}_rows"]
    one.restype, one.argtypes = ctypes.c_double, [ctypes.c_void_p]
    many.restype = None
    many.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    scores = np.empty(len(X))
    many(X.ctypes.data, len(X), scores.ctypes.data)
    assert [one(row.ctypes.data) for row in X[:20]] == scores[:20].tolist()
    return scores


def assert_close(found, expected):
    assert np.isfinite(found).all()
    error = np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)
    assert error.max() < 1e-9


def spread_out(X, rng):
    """Return rows, and others farther and farther out."""
    d = X.shape[1]
    scales = np.geomspace(1.0, 1e200, 60)[:, None]
    far = rng.normal(size=(60, d)) * scales
    return np.r_[X, 1e3 * X[:50], far, np.zeros((1, d)), -1e308 * np.ones((1, d))]


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=500)
    steps = np.round(rng.exponential(size=500), 1)
    return np.c_[x, np.sin(x) + 0.2 * rng.normal(size=500), steps]


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(
    "model",
    [
        GaussianCopula(),
        RBIG(max_iter=5, random_state=0),
        TreeFlow(cv=None, max_trees=30, n_components=5, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models(model, X, tmp_path):
    rows = spread_out(X, np.random.default_rng(1))
    expected = model.fit(X).score_samples(rows)
    assert_close(compile_and_score(model, rows, tmp_path), expected)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_every_kind_of_map(tmp_path):
    rng, d = np.random.default_rng(0), 2
    knots = [np.array([-1.0, 0.0, 2.0]), np.array([-2.0, 3.0])]
    slopes = [np.array([1.0, 0.5, 2.0]), np.array([0.2, 1.5])]
    rises = [
        (a[1:] + a[:-1]) / 2 * np.diff(k) for a, k in zip(slopes, knots, strict=True)
    ]
    values = [np.cumsum([-1.0, *rise]) for rise in rises]
    edges = np.array([-3.0, -0.5, 0.0, 2.0]), np.array([-1.0, 4.0])
    shares = np.array([0.3, 0.1, 0.58]), np.array([0.9])
    split = [(0, 0, 0.5, 0.4), (2, 1, 0.25, 0.5), (1, 0, 0.125, 0.25)]
    factors = np.array([np.eye(d), [[0.5, 0.0], [0.3, 0.01]], 3.0 * np.eye(d)])
    means = np.array([[0.0, 0.0], [1.0, 1.0], [-40.0, 2.0]])
    weights = np.array([0.5, 0.3, 0.2])
    spline = QuadraticSpline.of(knots, values, slopes)
    parts = {
        "affine": Affine(np.array([1e300, 0.0]), np.array([1e299, 2.0])),
        "matrix": Affine.rotation(np.array([[0.6, 0.8], [-0.8, 0.6]])),
        "quadratic": spline,
        "rational": RationalQuadraticSpline.of(knots, values, slopes),
        "histogram": HistogramColumns(
            edges, shares, np.array([0.01, 0.05]), np.array([1.0, 2.0])
        ),
        "steps": CubeSteps(
            (np.array([0.0, 0.2, 0.7, 1.0]), np.array([0.0, 1.0])),
            (np.array([0.5, 0.1, 0.4]), np.ones(1)),
        ),
        "one step": CubeSteps((np.array([0.0, 1.0]),) * 2, (np.ones(1),) * 2),
        "trees": Trees.of([np.array(split, "i4, i4, f4, f4")] * 2),
        "no trees": Trees.of([]),
        "mixture": Rosenblatt(weights, means, factors),
        "tilted": Rosenblatt(weights, means, factors, 1e-7),
        "boosted": BoostedRosenblatt(
            Rosenblatt(weights, means, factors, 1e-7, np.array([1, 0])),
            np.array([[-1.0, 0.5], [0.0, 1.0]]),
            np.array(
                [(-1, 0, 0), (0, 0, 2), (-1, 0, 1), (0, 1, 4), (-1, 0, 2), (-1, 0, 3)],
                np.int32,
            ),
            np.array([0, 1]),
            np.array([0, 1, 2]),
            rng.normal(size=(4, 3)),
        ),
        "in order": Rosenblatt(weights, means, factors, 1e-7, np.array([1, 0])),
        "identity": Identity(),
    }
    marked = [[-1.0, -1.0], [0.0, 3.0], [2.0, 4.0], [5.0, -5.0], [4.999999, 0.0]]
    rows = np.r_[spread_out(rng.normal(size=(300, d)), rng), marked]
    parts["all"] = Chain((*parts.values(), Chain((spline,))))
    for number, part in enumerate(parts.values()):
        density = Density(part, StandardNormal(d), d)
        folder = tmp_path / str(number)
        folder.mkdir()
        with np.errstate(over="ignore", invalid="ignore"):
            expected = density.logpdf(rows)
        assert_close(compile_and_score(density, rows, folder, "model"), expected)


def test_one_column(tmp_path):
    mixture = Rosenblatt(np.ones(1), np.zeros((1, 1)), np.full((1, 1, 1), 2.0))
    rows = np.linspace(-9.0, 9.0, 50)[:, None]
    density = Density(mixture, StandardNormal(1), 1)
    expected = -0.125 * rows[:, 0] ** 2 - np.log(2.0) - 0.5 * np.log(2.0 * np.pi)
    assert_close(compile_and_score(density, rows, tmp_path), expected)


def test_rounding_that_is_no_latent_is_none_in_c(tmp_path):
    mixture, rows = constant_second()
    enlarge = Affine(np.zeros(2), np.array([1.0, 1e-16]))
    density = Density(Chain((mixture, enlarge)), StandardNormal(2), 2)
    scores = compile_and_score(density, rows, tmp_path)
    assert_close(scores, density.logpdf(rows))


def test_what_c_cannot_be_written_for(tmp_path):
    path = tmp_path / "model.c"
    switch = Density(Chain((Switch((Identity(),)),)), StandardNormal(1), 1)
    with pytest.raises(TypeError, match="cannot be written for Switch, only for Aff"):
        to_c(switch, path)
    uniform = Density(NormalToUniform(), Uniform(1), 1)
    with pytest.raises(ValueError, match="not on Uniform"):
        to_c(uniform, path)
    codes = np.array([[0, 1], [1, 0]] * 20)
    with pytest.raises(ValueError, match="has categories"):
        to_c(DiscreteTreeFlow(random_state=0).fit(codes), path)
    with pytest.raises(ValueError, match="must be one of C"):
        to_c(Density(Identity(), StandardNormal(1), 1), path, name="my score")
    with pytest.raises(TypeError, match="got list"):
        to_c([1.0], path)
    assert not list(tmp_path.iterdir())
