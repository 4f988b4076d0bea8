"""Models in files: what comes back, where, and what is refused."""

import json
import os
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import FunctionTransformer

import destructors
from destructors.autoregressive import RegressionDestructor
from destructors.compose import (
    CategoryDequantizer,
    ColumnDestructor,
    TransformerDestructor,
    as_destructor,
    make_destructor_pipeline,
)
from destructors.estimators import DensityClassifier, OutlierDetector
from destructors.flows import (
    RBIG,
    AlignmentFlow,
    AutoDestructor,
    DiscreteTreeFlow,
    GaussianCopula,
    TreeFlow,
)
from destructors.linear import Whitening
from destructors.maps import Density, Map
from destructors.marginal import Dequantizer, SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from tests.bare import run_bare


def numbers(n_rows=600):
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=n_rows)
    return np.c_[
        x, np.sin(2 * x) + 0.3 * rng.normal(size=n_rows), rng.normal(size=n_rows)
    ]


def frame(n_rows=400):
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green", "blue"], n_rows, p=[0.5, 0.3, 0.2])
    return pd.DataFrame(
        {
            "size": rng.normal(np.where(color == "red", 2.0, 0.0)),
            "color": pd.Categorical(color, categories=["red", "green", "blue", "none"]),
            "count": rng.poisson(3.0, n_rows).astype(np.int16),
            "when": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(0, 3, n_rows), unit="D"),
        }
    )


def mixed():
    return ColumnDestructor(
        [
            ("kinds", DiscreteTreeFlow(random_state=0), ["color", "when"]),
            (
                "numbers",
                make_destructor_pipeline(
                    Dequantizer(["count"], random_state=0), GaussianCopula()
                ),
                ["count", "size"],
            ),
        ]
    )


NUMERIC = {
    "tree-flow": TreeFlow(n_components=[1, 2, 4], max_trees=20, random_state=0),
    "auto": AutoDestructor(max_iter=3, cv=None, random_state=0),
    "rbig": RBIG(max_iter=4, random_state=0),
    "copula": GaussianCopula(),
    "regression": RegressionDestructor(random_state=0),
    "ridge": RegressionDestructor(Ridge(), min_r2=-1.0, random_state=0),
}


# ---------------------------------------------------------------- what comes back


def test_a_curve_that_is_flat_to_the_last_digit(tmp_path):
    x = [-1.3e191, -1.4e249, -2.5e249, 1.3e276, -1e206, -2.6e264, -5.9e84]
    weight = [1.8e295, 6.9e-68, 4.4e246, 1.8e116, 8.3e-293, 1.6e17, 2.8e254]
    X = np.array(x)[:, None]
    model = SplineGaussianizer().fit(X, sample_weight=weight)
    assert (np.diff(model.map_.values) == 0.0).any()
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(density.logpdf(X), model.score_samples(X))


@pytest.mark.parametrize("name", NUMERIC)
def test_same_bits(name, tmp_path):
    X = numbers()
    model = NUMERIC[name].fit(X)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    assert density == model.to_density()
    assert density.origin == type(model).__name__
    Z, log_det = model.transform_and_log_det(X)
    np.testing.assert_array_equal(density.logpdf(X), model.score_samples(X))
    np.testing.assert_array_equal(density.forward(X)[0], Z)
    np.testing.assert_array_equal(density.forward(X)[1], log_det)
    np.testing.assert_array_equal(density.inverse(Z)[0], model.inverse_transform(Z))
    np.testing.assert_array_equal(
        density.sample(20, random_state=3), model.sample(20, random_state=3)
    )


@pytest.mark.parametrize(
    "model", [mixed(), DiscreteTreeFlow(random_state=0)], ids=["mixed", "discrete"]
)
def test_frames_come_back_as_they_went_in(model, tmp_path):
    X = frame()
    if isinstance(model, DiscreteTreeFlow):
        X = X[["color", "when", "count"]]
    model.fit(X)
    destructors.save(model, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(density.logpdf(X), model.score_samples(X))
    back = density.inverse(density.forward(X)[0])[0]
    pd.testing.assert_frame_equal(back, X, rtol=1e-9)
    samples = density.sample(30, random_state=0)
    pd.testing.assert_frame_equal(samples, model.sample(30, random_state=0))
    assert (samples.dtypes == X.dtypes).all()


def test_categories_before_a_flow_of_numbers(tmp_path):
    X = frame()[["color", "size"]]
    chain = make_destructor_pipeline(
        CategoryDequantizer(random_state=0), RBIG(max_iter=3, random_state=0)
    ).fit(X)
    destructors.save(chain, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(density.logpdf(X), chain.score_samples(X))
    assert set(density.sample(50, random_state=0)["color"]) <= set(X["color"])


def test_a_column_of_missing_values_alone_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"none": pd.Series([None] * 40, dtype="str"), "x": rng.normal(size=40)}
    )
    flow = TreeFlow(n_components=1, max_trees=2, cv=None, random_state=0).fit(X)
    destructors.save(flow, tmp_path / "flow.npz")
    density = destructors.load(tmp_path / "flow.npz")
    np.testing.assert_array_equal(density.logpdf(X), flow.score_samples(X))


def test_domains_come_back_by_their_labels(tmp_path):
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0, 1, (200, 2)), rng.normal(3, 2, (200, 2))]
    labels = np.repeat(["left", "right"], 200)
    flow = AlignmentFlow(max_iter=3, density=Whitening(), random_state=0)
    flow.fit(X, sample_domain=labels)
    destructors.save(flow, tmp_path / "model.npz")
    density = destructors.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(
        density.logpdf(X, labels), flow.score_samples(X, sample_domain=labels)
    )
    Z = flow.transform(X, sample_domain=labels)
    np.testing.assert_array_equal(density.forward(X, labels)[0], Z)
    np.testing.assert_array_equal(
        density.inverse(Z, labels)[0], flow.inverse_transform(Z, sample_domain=labels)
    )
    with pytest.raises(ValueError, match=r"unknown label\(s\) 'middle'"):
        density.logpdf(X, np.repeat("middle", 400))


def test_a_density_saves_itself_and_a_path_is_any_path(tmp_path):
    X = numbers()
    density = Whitening().fit(X).to_density()
    density.save(str(tmp_path / "anything"))
    assert destructors.load(str(tmp_path / "anything")) == density


def test_the_header_tells_what_it_is(tmp_path):
    model = Whitening(method="zca").fit(pd.DataFrame(numbers(), columns=list("abc")))
    destructors.save(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        header = json.loads(file["header"].tobytes())
    assert header["format"] == 1
    assert header["library"] == destructors.__version__
    assert header["class"] == "Whitening"
    assert header["parameters"]["method"] == "'zca'"
    assert header["columns"] == ["a", "b", "c"]


# ---------------------------------------------------------------- elsewhere


def test_where_only_numpy_and_scipy_are_installed(tmp_path):
    X, table = numbers(), frame()
    models = {name: model.fit(X) for name, model in NUMERIC.items()}
    models["mixed"] = mixed().fit(table)
    rows = dict.fromkeys(NUMERIC, X[:200])
    rows["mixed"] = table.to_numpy(dtype=object)[:200]
    rows["mixed"][:, 3] = table["when"].to_numpy()[:200]
    for name, model in models.items():
        destructors.save(model, tmp_path / f"{name}.npz")
    named = pd.DataFrame(X, columns=["a", "b", "c"])
    detector = OutlierDetector(n_folds=2, random_state=0).fit(named)
    destructors.save(detector, tmp_path / "detector.npz")
    classifier = DensityClassifier(Whitening()).fit(X, np.where(X[:, 0] > 2, "a", "b"))
    destructors.save(classifier, tmp_path / "classifier.npz")
    np.savez(tmp_path / "numbers", X=X[:200])
    table.iloc[:200].to_pickle(tmp_path / "table.pkl")
    run_bare(
        tmp_path,
        f"""
import importlib.util as util, warnings, numpy as np
for name in ("sklearn", "joblib", "numba", "pandas"):
    assert util.find_spec(name) is None, name
warnings.simplefilter("ignore", RuntimeWarning)
import destructors
X = np.load("numbers.npz")["X"]
for name in {list(NUMERIC)!r}:
    density = destructors.load(name + ".npz")
    Z, log_det = density.forward(X)
    back = density.inverse(Z)[0]
    samples = density.sample(50, random_state=0)
    np.savez("out-" + name, scores=density.logpdf(X), Z=Z, back=back, samples=samples)
density = destructors.load("mixed.npz")
samples = density.sample(50, random_state=0)
assert samples.shape == (50, 4), samples.shape
np.savez("out-mixed", scores=density.logpdf(samples))
detector = destructors.load("detector.npz")
excess, labels = detector.explain(X[:3]), destructors.load("classifier.npz").predict(X)
np.savez("out-judged", p=detector.p_values(X), excess=excess, labels=labels)
""",
    )
    with np.load(tmp_path / "out-judged.npz") as found:
        np.testing.assert_allclose(found["p"], detector.p_values(named[:200]))
        np.testing.assert_allclose(found["excess"], detector.explain(named[:3]))
        assert found["labels"].tolist() == classifier.predict(X[:200]).tolist()
    for name in NUMERIC:
        with np.load(tmp_path / f"out-{name}.npz") as found:
            model = models[name]
            Z = model.transform(X[:200])
            close = {"rtol": 1e-12, "atol": 1e-12}
            np.testing.assert_allclose(
                found["scores"], model.score_samples(X[:200]), **close
            )
            np.testing.assert_allclose(found["Z"], Z, **close)
            np.testing.assert_allclose(
                found["back"], model.inverse_transform(Z), **close
            )
            np.testing.assert_allclose(
                found["samples"], model.sample(50, random_state=0), rtol=1e-9, atol=1e-9
            )
    samples = models["mixed"].sample(50, random_state=0)
    with np.load(tmp_path / "out-mixed.npz") as found:
        np.testing.assert_allclose(
            found["scores"], models["mixed"].score_samples(samples), rtol=1e-9
        )


# ---------------------------------------------------------------- files


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    first = Whitening().fit(numbers())
    destructors.save(first, path)

    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        destructors.save(SplineGaussianizer().fit(numbers()), path)
    assert destructors.load(path) == first.to_density()
    assert os.listdir(tmp_path) == ["model.npz"]


def test_the_file_has_the_permissions_of_a_new_file(tmp_path):
    destructors.save(Whitening().fit(numbers()), tmp_path / "model.npz")
    (tmp_path / "other").touch()
    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("model.npz", "other")
    ]
    assert modes[0] == modes[1]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.npz"
    destructors.save(
        TreeFlow(n_components=2, max_trees=5, random_state=0).fit(numbers()), path
    )
    return path


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        destructors.load(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("kept", [0, 1, 10, 1000])
def test_truncated_files(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(ValueError, match="damaged"):
        destructors.load(saved)


@pytest.mark.parametrize("seed", range(20))
def test_files_with_other_bytes(saved, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(saved.read_bytes())
    places = rng.integers(0, len(data), 20)
    for place in places:
        data[place] ^= int(rng.integers(1, 256))
    saved.write_bytes(bytes(data))
    try:
        density = destructors.load(saved)
    except ValueError:
        return
    # What was changed may be nothing that is read.
    assert isinstance(density, Density)


def test_files_of_others(tmp_path):
    np.savez(tmp_path / "arrays.npz", x=np.arange(3))
    with pytest.raises(ValueError, match=r"not written by destructors\.save"):
        destructors.load(tmp_path / "arrays.npz")
    np.save(tmp_path / "array.npy", np.arange(3))
    with pytest.raises(ValueError, match=r"destructors\.save"):
        destructors.load(tmp_path / "array.npy")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"destructors\.save"):
        destructors.load(tmp_path / "text.npz")


def rewrite(path, change):
    """Change the header of a file."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes())
    change(header)
    text = json.dumps(header).encode()
    arrays["header"] = np.frombuffer(text, dtype=np.uint8)
    np.savez(path, **arrays)


def test_files_of_newer_versions(saved):
    rewrite(saved, lambda header: header.update(format=99, library="9.9"))
    with pytest.raises(ValueError, match=r"by destructors 9\.9, in format 99.*upgrade"):
        destructors.load(saved)


def test_classes_that_are_not_there(saved):
    def rename(header):
        header["density"]["fields"]["map"]["kind"] = "elsewhere:Twist"

    rewrite(saved, rename)
    with pytest.raises(ValueError, match=r"elsewhere:Twist.*import its module"):
        destructors.load(saved)


def test_fields_that_are_not_there(saved):
    rewrite(saved, lambda header: header["density"]["fields"].pop("n_features"))
    with pytest.raises(ValueError, match="another version"):
        destructors.load(saved)


def test_fields_that_were_added_since_have_their_default(tmp_path):
    path = tmp_path / "mixture.npz"
    model = GaussianMixtureDestructor(2, order=None).fit(numbers())
    destructors.save(model, path)

    def forget(header):
        _, mixture = header["density"]["fields"]["map"]["fields"]["maps"]["tuple"]
        del mixture["fields"]["order"]

    rewrite(path, forget)
    scores = destructors.load(path).logpdf(numbers())
    np.testing.assert_array_equal(scores, model.score_samples(numbers()))


def test_arrays_that_are_not_there(saved):
    with zipfile.ZipFile(saved) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    del parts["a0.npy"]
    with zipfile.ZipFile(saved, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    with pytest.raises(ValueError, match="damaged"):
        destructors.load(saved)


class Explosive:
    """Says when it is unpickled."""

    def __reduce__(self):
        return os._exit, (3,)


def test_pickles_inside_are_not_read(saved):
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["a0"] = np.array([Explosive()], dtype=object)
    np.savez(saved, **arrays)
    with pytest.raises(ValueError, match=r"allow_pickle|damaged"):
        destructors.load(saved)


# ---------------------------------------------------------------- what is refused


def test_what_is_no_data_is_named():
    X = np.abs(numbers()) + 0.1
    logarithm = as_destructor(
        FunctionTransformer(np.log, np.exp), log_det=lambda X: -np.log(X).sum(axis=1)
    ).fit(X)
    with pytest.raises(TypeError, match=r"FunctionTransformer|function"):
        destructors.save(logarithm, "never.npz")
    neighbours = RegressionDestructor(
        KNeighborsRegressor(), min_r2=-1.0, random_state=0
    )
    with pytest.raises(TypeError, match="KNeighborsRegressor"):
        destructors.save(neighbours.fit(X), "never.npz")
    assert not os.path.exists("never.npz")


def test_what_is_not_fitted_or_no_model():
    with pytest.raises(NotFittedError):
        destructors.save(Whitening(), "never.npz")
    with pytest.raises(TypeError, match="got dict"):
        destructors.save({}, "never.npz")


def test_transformers_of_scikit_learn_are_data(tmp_path):
    from sklearn.preprocessing import (
        PowerTransformer,
        QuantileTransformer,
        StandardScaler,
    )

    X = numbers()
    for transformer in (
        StandardScaler(),
        PowerTransformer(),
        QuantileTransformer(n_quantiles=50),
    ):
        model = TransformerDestructor(transformer).fit(X)
        destructors.save(model, tmp_path / "model.npz")
        density = destructors.load(tmp_path / "model.npz")
        np.testing.assert_array_equal(density.logpdf(X), model.score_samples(X))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loaded_density_refuses_what_has_no_density(saved, bad):
    density = destructors.load(saved)
    X = numbers()
    with pytest.raises(ValueError, match="shape"):
        density.logpdf(X[:, :2])
    X[3, 1] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        density.logpdf(X)


def test_a_map_is_frozen():
    map_ = Whitening().fit(numbers()).map_
    assert isinstance(map_, Map)
    with pytest.raises(AttributeError):
        map_.location = 0.0
