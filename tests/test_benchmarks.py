"""The benchmarks: what they write, and that no failure loses what others measured."""

import csv
import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KernelDensity

from benchmarks import density, information, marginals
from benchmarks.__main__ import main
from benchmarks.datasets import DATASETS, QUICK
from benchmarks.evaluate import Result, evaluate
from benchmarks.generated import gaussian_copula, neal_funnel, student_t
from benchmarks.models import MODELS
from benchmarks.peers import KernelDensityByValidation, MixtureByValidation
from benchmarks.registry import Entry
from benchmarks.report import format_table
from benchmarks.split import Split, split
from destructors.datasets import load_density, make_concentric_circles
from destructors.linear import Whitening
from destructors.marginal import HistogramGaussianizer

FIGURES = [
    "log_likelihood",
    "standard_error",
    "median",
    "fit_seconds",
    "fit_cpu_seconds",
    "score_rows_per_second",
    "sample_rows_per_second",
]


def read_csv(folder):
    with open(folder / "density.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Broken(Whitening):
    """Raises what it is told to, in the method it is told."""

    def __init__(self, method, error):
        self.method_that_fails, self.error = method, error
        super().__init__()

    def fit(self, X, y=None):
        if self.method_that_fails == "fit":
            raise self.error
        return super().fit(X)

    def sample(self, n_samples=1, random_state=None):
        raise self.error


def offer(monkeypatch, *models):
    """Let the job know these models only."""
    entries = {
        name: Entry(name, lambda random_state, make=make: make(), "", "tried")
        for name, make in models
    }
    monkeypatch.setattr(density, "MODELS", entries)


# ------------------------------------------------------------------ the main job


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Run every default model on the data sets of a quick run."""
    folder = tmp_path_factory.mktemp("results")
    assert main(["--quick", "--output", str(folder)]) == 0
    return folder


def test_quick_run_measures_every_model_on_every_data_set(quick):
    rows = [row for row in read_csv(quick) if row["group"] != "truth"]
    assert {(row["dataset"], row["model"]) for row in rows} == {
        (dataset, entry.name)
        for dataset in QUICK
        for entry in MODELS.values()
        if entry.by_default
    }
    figures = np.array([[float(row[name]) for name in FIGURES] for row in rows])
    assert np.isfinite(figures).all()
    costs = [FIGURES.index(name) for name in FIGURES if "second" in name]
    assert (figures[:, costs] >= 0).all()
    assert (figures[:, FIGURES.index("standard_error")] > 0).all()
    for row in rows:
        if row["group"] == "destructors":
            assert int(row["n_layers"]) >= 1
            assert 0 <= float(row["round_trip_q999"]) <= 1e-8
            assert 0 <= float(row["round_trip_far"]) <= 1e-4


def test_no_model_beats_the_true_density_by_more_than_chance(quick):
    rows = read_csv(quick)
    truths = {row["dataset"]: row for row in rows if row["group"] == "truth"}
    assert set(truths) == {"rings", "gaussian_copula"}
    for row in rows:
        if (truth := truths.get(row["dataset"])) is not None:
            margin = 4 * float(truth["standard_error"])
            best = float(truth["log_likelihood"]) + margin
            assert float(row["log_likelihood"]) <= best


def test_json_holds_the_same_figures_and_what_they_were_made_with(quick):
    document = json.loads((quick / "density.json").read_text(encoding="utf-8"))
    environment = document["environment"]
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["n_threads"] == 1
    rows = read_csv(quick)
    assert len(document["results"]) == len(rows)
    for result, row in zip(document["results"], rows, strict=True):
        assert result["log_likelihood"] == float(row["log_likelihood"])


def test_figure_is_a_png(quick):
    assert (quick / "density.png").read_bytes().startswith(b"\x89PNG")


def test_table_sorts_by_likelihood(tmp_path, capsys):
    arguments = ["--quick", "--datasets", "gaussian_copula", "--output", str(tmp_path)]
    assert main([*arguments, "--models", "marginal", "gaussian", "rbig"]) == 0
    table = capsys.readouterr().out.partition("\n\n")[2]
    places = [table.index(f"  {name} ") for name in ("true density", "rbig")]
    assert places == sorted(places)
    assert places[-1] < min(table.index("  marginal"), table.index("  gaussian "))
    models = {row["model"] for row in read_csv(tmp_path)}
    assert models == {"true density", "marginal", "gaussian", "rbig"}


def test_table_marks_what_is_lost():
    results = [
        Result("wine", "infinite", "", 100, 20, 20, 3, log_likelihood=np.inf),
        Result("wine", "bad", "", 100, 20, 20, 3, error="ValueError: no way"),
        Result(
            "wine",
            "good",
            "",
            1000,
            20,
            20,
            3,
            log_likelihood=-1.25,
            score_rows_per_second=12345.6,
            size="2 layers",
            warnings="UserWarning: take care",
        ),
    ]
    first, headings, *rows = format_table(results).splitlines()[:7]
    assert first == "wine: 1,000 train, 20 validation, 20 test rows × 3"
    assert headings.split()[:3] == ["model", "test", "nats"]
    assert [row.split()[0] for row in rows[:3]] == ["good", "infinite", "bad"]
    assert " ".join(rows[0].split()) == "good -1.250 - - - - 12,346 - - - - 2 layers"
    assert rows[1].split()[1:] == ["-"] * 10
    assert rows[3:] == [
        "    bad FAILED: ValueError: no way",
        "    good warned: UserWarning: take care",
    ]


def test_list_names_everything(capsys):
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    for name in [*DATASETS, *MODELS]:
        assert f"  {name} " in printed


@pytest.mark.parametrize(
    ("option", "choices"), [("--datasets", DATASETS), ("--models", MODELS)]
)
def test_unknown_name_lists_the_choices(option, choices, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([option, "nonesuch"])
    assert exit_.value.code == 2
    assert f"'nonesuch' is unknown; choose from {', '.join(choices)}." in (
        capsys.readouterr().err
    )


def test_unknown_job_lists_the_jobs(capsys):
    with pytest.raises(SystemExit):
        main(["nonesuch"])
    error = capsys.readouterr().err
    assert "density" in error
    assert "speed" in error


# ------------------------------------------------------------------ failures


def test_failing_model_does_not_lose_the_others(monkeypatch, tmp_path, capsys):
    offer(
        monkeypatch,
        ("bad", lambda: Broken("fit", ValueError("no way"))),
        ("good", Whitening),
    )
    code = main(["--quick", "--datasets", "diabetes", "--output", str(tmp_path)])
    assert code == 1
    bad, good = read_csv(tmp_path)
    assert bad["error"] == "ValueError: no way"
    assert np.isfinite(float(good["log_likelihood"]))
    assert not good["error"]
    [bad_json, _] = json.loads((tmp_path / "density.json").read_text())["results"]
    assert bad_json["log_likelihood"] is None
    printed = capsys.readouterr()
    assert "bad FAILED: ValueError: no way" in printed.out
    assert "bad on diabetes" in printed.err
    assert (tmp_path / "density.png").exists()


def test_late_failure_keeps_what_was_measured_before(monkeypatch, tmp_path):
    offer(monkeypatch, ("late", lambda: Broken("sample", RuntimeError("dry"))))
    assert main(["--datasets", "diabetes", "--output", str(tmp_path)]) == 1
    [late] = read_csv(tmp_path)
    assert late["error"] == "RuntimeError: dry"
    assert np.isfinite(float(late["log_likelihood"]))
    assert late["sample_rows_per_second"] == ""


def test_interrupt_keeps_what_was_measured_before(monkeypatch, tmp_path):
    monkeypatch.setattr(density, "warm_up", lambda entries: None)
    offer(
        monkeypatch,
        ("good", Whitening),
        ("stopped", lambda: Broken("fit", KeyboardInterrupt())),
        ("never", Whitening),
    )
    code = main(["--datasets", "diabetes", "--output", str(tmp_path)])
    assert code == 130
    assert [row["model"] for row in read_csv(tmp_path)] == ["good"]
    assert (tmp_path / "density.png").exists()


def test_data_that_fail_to_load_do_not_lose_the_others(monkeypatch, tmp_path):
    def gone():
        raise OSError("gone")

    entries = {"gone": Entry("gone", gone, ""), "wine": DATASETS["wine"]}
    monkeypatch.setattr(density, "DATASETS", entries)
    offer(monkeypatch, ("good", Whitening))
    assert main(["--output", str(tmp_path)]) == 1
    gone_row, good = read_csv(tmp_path)
    assert gone_row["error"] == "OSError: gone"
    assert good["dataset"] == "wine"
    assert np.isfinite(float(good["log_likelihood"]))


def test_model_that_misses_something_is_left_out(monkeypatch, tmp_path, capsys):
    missing = Entry(
        "absent", Whitening, "", "tried", lambda: "needs zzz (pip install zzz)"
    )
    entries = {"absent": missing, "gaussian": MODELS["gaussian"]}
    monkeypatch.setattr(density, "MODELS", entries)
    assert main(["--datasets", "diabetes", "--output", str(tmp_path)]) == 0
    assert "absent is left out: it needs zzz" in capsys.readouterr().out
    assert [row["model"] for row in read_csv(tmp_path)] == ["gaussian"]
    with pytest.raises(SystemExit):
        main(["--models", "absent"])
    assert "'absent' needs zzz (pip install zzz)." in capsys.readouterr().err


# ------------------------------------------------------------------ measuring


def test_round_trip_errors_and_warnings_are_those_of_the_model():
    class Shifty(Whitening):
        def inverse_transform(self, X):
            return super().inverse_transform(X) + np.array([0.0, 1e-3])

    X = np.random.default_rng(0).standard_normal((300, 2))
    X[-1] = 100.0  # The last test row: far × 100 is 10,000, so 1e-3 is 1e-7 of it.
    data = Split(X[:100], X[100:200], X[200:])
    entry = Entry("shifty", lambda random_state: Shifty(), "")
    result = evaluate(entry, "normal", data, random_state=0)
    assert not result.error
    assert result.round_trip_max == pytest.approx(1e-3, rel=1e-6)
    assert result.round_trip_q999 == pytest.approx(1e-3, rel=1e-6)
    smallest = 100 * np.abs(data.test).max(axis=1).min()
    assert result.round_trip_far == pytest.approx(1e-3 / smallest, rel=1e-6)
    scores = Whitening().fit(data.train).score_samples(data.test)
    assert result.log_likelihood == pytest.approx(scores.mean())
    assert result.median == pytest.approx(np.median(scores))
    assert result.standard_error == pytest.approx(scores.std(ddof=1) / 10)


# ------------------------------------------------------------------ data


@pytest.mark.parametrize(
    "entry", [e for e in DATASETS.values() if not e.missing()], ids=lambda e: e.name
)
def test_parts_are_finite_standardised_and_disjoint(entry):
    data = entry.make()
    assert all(np.isfinite(part).all() for part in (data.train, data.val, data.test))
    if entry.name != "circles":
        np.testing.assert_allclose(data.train.mean(axis=0), 0.0, atol=1e-8)
        np.testing.assert_allclose(data.train.std(axis=0), 1.0, atol=1e-8)
    rows = np.vstack([data.train, data.val, data.test])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_truth_is_in_the_units_of_the_data():
    data = DATASETS["normal_mixture"].make()
    mixture = GaussianMixture(6, random_state=0).fit(data.train)
    assert mixture.score(data.test) == pytest.approx(data.truth.mean(), abs=0.1)


def test_circles_are_as_published():
    data = DATASETS["circles"].make()
    X = make_concentric_circles(2000, random_state=0)
    np.testing.assert_array_equal(np.vstack([data.train, data.test]), X)
    assert len(data.train) == 1000
    assert len(data.val) == 0
    error = data.truth.std() / np.sqrt(1000)
    assert data.truth.mean() == pytest.approx(-3.257, abs=3 * error)
    radius = np.hypot(*data.train.T)
    shares = np.bincount(radius.round().astype(int), minlength=5) / 1000
    np.testing.assert_allclose(shares, [0.0, 0.1, 0.2, 0.3, 0.4], atol=0.05)


@pytest.mark.parametrize("make", [neal_funnel, student_t, gaussian_copula])
def test_generated_rows_follow_their_density(make):
    X, log_density = make(200_000, random_state=0)
    low, high = np.quantile(X, [0.3, 0.7], axis=0)
    inside = ((low < X) & (high > X)).all(axis=1)
    # The mean of 1 / p over the rows in a box is the volume of the box over its mass.
    ratios = np.exp(-log_density[inside]) / np.prod(high - low)
    mean, error = ratios.sum() / len(X), np.sqrt((ratios**2).sum()) / len(X)
    assert error < 0.05
    assert mean == pytest.approx(1.0, abs=4 * error)


def test_split_keeps_each_row_with_its_density():
    X = np.random.default_rng(0).normal([1.0, -2.0], [3.0, 0.5], size=(100, 2))
    parts = split(X, log_density=X[:, 0])
    train = X[np.random.default_rng(0).permutation(100)][:60]
    mean, scale = train.mean(axis=0), train.std(axis=0)
    assert [len(part) for part in (parts.train, parts.val, parts.test)] == [60, 20, 20]
    np.testing.assert_allclose(
        parts.truth, parts.test[:, 0] * scale[0] + mean[0] + np.log(scale).sum()
    )


def test_folder_of_the_environment_variable_is_read(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("DESTRUCTORS_DATA", raising=False)
    with pytest.raises(SystemExit):
        main(["--datasets", "wilt"])
    assert "'wilt' needs DESTRUCTORS_DATA" in capsys.readouterr().err
    parts = np.random.default_rng(0).standard_normal((3, 50, 2))
    (tmp_path / "density").mkdir()
    path = tmp_path / "density" / "wilt.npz"
    np.savez(path, **dict(zip(("train", "val", "test"), parts, strict=True)))
    monkeypatch.setenv("DESTRUCTORS_DATA", str(tmp_path))
    found = DATASETS["wilt"].make()
    for name, part in zip(("train", "val", "test"), parts, strict=True):
        np.testing.assert_array_equal(getattr(found, name), part)
        np.testing.assert_array_equal(load_density("wilt")[name], part)
    with pytest.raises(SystemExit):
        main(["--datasets", "magic"])
    assert "magic.npz" in capsys.readouterr().err


# ------------------------------------------------------------------ peers


def test_mixture_keeps_the_size_that_validation_likes_best():
    data = DATASETS["diabetes"].make()
    model = MixtureByValidation(random_state=0).fit(data.train, X_val=data.val)
    scores = [
        GaussianMixture(n, max_iter=300, random_state=0).fit(data.train).score(data.val)
        for n in (1, 2, 4, 8)
    ]
    assert model.score_samples(data.val).mean() == max(scores)
    assert model.size_.startswith(f"{(1, 2, 4, 8)[np.argmax(scores)]} components")


def test_bandwidth_is_as_good_as_the_best_of_a_fine_grid():
    data = DATASETS["diabetes"].make()
    model = KernelDensityByValidation().fit(data.train, X_val=data.val)
    grid = [
        KernelDensity(bandwidth=bandwidth).fit(data.train).score_samples(data.val)
        for bandwidth in np.geomspace(0.05, 2.0, 60)
    ]
    best = max(scores.mean() for scores in grid)
    assert model.score_samples(data.val).mean() >= best - 1e-3


def test_without_validation_rows_peers_choose_on_some_and_fit_on_all():
    data = DATASETS["circles"].make()
    chosen_on = train_test_split(data.train, test_size=0.2, random_state=0)
    for make, attribute in [
        (lambda: MixtureByValidation(random_state=0), "mixture_"),
        (KernelDensityByValidation, "kernel_density_"),
    ]:
        alone = make().fit(data.train)
        given = make().fit(chosen_on[0], X_val=chosen_on[1])
        assert alone.size_.split(",")[0] == given.size_.split(",")[0]
        again = clone(getattr(alone, attribute)).fit(data.train)
        np.testing.assert_allclose(
            alone.score_samples(data.test), again.score_samples(data.test)
        )
        assert alone.score_samples(data.test).mean() > -5.0


# ------------------------------------------------------------------ other jobs


def test_speed_prints_and_writes_its_figures(tmp_path, capsys):
    options = ["--quick", "--repeats", "1", "--output", str(tmp_path)]
    assert main(["speed", *options]) == 0
    figures = json.loads((tmp_path / "speed.json").read_text())
    assert figures["rbig"]["n_layers"] == 12
    assert figures["rbig"]["fit_seconds"] > 0
    assert figures["mixture"]["n_components"] == 16
    assert figures["mixture"]["inverse_rows_per_second"] > 0
    assert figures["marginal"]["n_jobs_1_ratio"] == pytest.approx(
        figures["marginal"]["n_jobs_1_seconds"] / figures["marginal"]["sort_seconds"]
    )
    printed = capsys.readouterr().out
    assert "RBIG, 12 layers" in printed
    assert "Mixture of 16 normals" in printed
    assert "times the sort" in printed


def test_marginals_prints_and_writes_its_figures(monkeypatch, tmp_path, capsys):
    laws = {name: marginals.LAWS[name] for name in ("normal", "two modes")}
    monkeypatch.setattr(marginals, "LAWS", laws)
    monkeypatch.setattr(marginals, "MARGINALS", [Whitening(), HistogramGaussianizer()])
    assert main(["marginals", "--quick", "--output", str(tmp_path)]) == 0
    losses = json.loads((tmp_path / "marginals.json").read_text())["losses"]
    assert losses["Whitening"]["normal"] < 0.01
    assert losses["Whitening"]["two modes"] > 0.3
    printed = capsys.readouterr().out.splitlines()
    for name, by_law in losses.items():
        [line] = [line for line in printed if line.startswith(name)]
        assert line.split()[1:] == [f"{loss:.4f}" for loss in by_law.values()]


def test_information_prints_and_writes_its_figures(monkeypatch, tmp_path, capsys):
    name = "mutual information, 1 + 1, r = 0.5"
    monkeypatch.setattr(information, "CASES", {name: information.CASES[name]})
    words = ["information", "--quick", "--samples", "300", "--output", str(tmp_path)]
    assert main(words) == 0
    [figures] = json.loads((tmp_path / "information.json").read_text())[
        "cases"
    ].values()
    assert figures["truth"] == pytest.approx(-0.5 * np.log(0.75))
    assert figures["rms error"] < 0.2
    assert figures["neighbours rms"] < 0.2
    assert name in capsys.readouterr().out


def test_an_estimate_without_noise_is_measured_exactly():
    truth = 2.0
    case = information.Case(
        lambda rows, **_: information.InformationEstimate(2.5, 0.3, len(rows), 2.25),
        lambda rng, n: (np.zeros((n, 1)),),
        truth,
    )
    figures = information.measure(case, n_seeds=3, n_samples=10)
    assert figures["mean error"] == figures["rms error"] == 0.5
    assert figures["uncorrected"] == 0.25
    assert figures["within"] == 1.0
    assert np.isnan(figures["neighbours rms"])
