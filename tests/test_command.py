"""The command line, as one uses it: files in, files out, exit codes and messages."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import destructors
from destructors.command import main
from destructors.datasets import read_table, write_table
from destructors.maps._jit import has_numba


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    frame = pd.DataFrame({"a": a, "b": a + rng.normal(size=200)})
    frame["kind"], frame["weight"] = rng.choice(["u", "v"], 200), rng.random(200)
    frame.to_csv("rows.csv", index=False)
    np.save("rows.npy", frame[["a", "b"]].to_numpy())
    return tmp_path


FIT = ["fit", "rows.csv", "-o", "model.npz", "--model", "rbig", "--quiet"]
FIT += ["--columns", "a", "b", "--set", "max_iter=2", "cv=None"]


def test_fit_score_sample_and_info(folder, capsys):
    assert main(FIT) == 0
    assert "Held-out rows" in capsys.readouterr().out
    density = destructors.load("model.npz")
    assert main(["score", "model.npz", "rows.csv", "-o", "scores.csv"]) == 0
    X = pd.read_csv("rows.csv")[["a", "b"]]
    scores = pd.read_csv("scores.csv")["log_density"].to_numpy()
    np.testing.assert_allclose(scores, density.logpdf(X), rtol=1e-12)
    assert f"{scores.mean():.4f} nats" in capsys.readouterr().out
    draw = ["sample", "model.npz", "-n", "5", "--random-state", "0"]
    assert main(draw) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "a,b"
    assert len(printed) == 6
    assert main([*draw, "-o", "new.parquet"]) == 0
    drawn = density.sample(5, random_state=0)
    pd.testing.assert_frame_equal(pd.read_parquet("new.parquet"), drawn)
    assert main(["info", "model.npz"]) == 0
    assert "2 columns" in capsys.readouterr().out


@pytest.mark.skipif(has_numba(), reason="kernels are compiled")
def test_without_numba_nothing_is_compiled(capsys):
    assert main(["compile"]) == 1
    assert "numba is missing" in capsys.readouterr().err


def test_weights_are_repeated_rows(folder):
    X = pd.read_csv("rows.csv")[["a", "b"]]
    X["weight"] = np.arange(len(X)) % 3
    X.to_csv("weighted.csv", index=False)
    X.loc[X.index.repeat(X["weight"]), ["a", "b"]].to_csv("repeated.csv", index=False)
    weighted = ["fit", "weighted.csv", "-o", "one.npz", "--weight", "weight"]
    repeated = ["fit", "repeated.csv", "-o", "two.npz"]
    for command in (weighted, repeated):
        assert main([*command, "--model", "gaussian-copula"]) == 0
    one, two = (
        destructors.load(path).logpdf(X[["a", "b"]]) for path in ("one.npz", "two.npz")
    )
    np.testing.assert_allclose(one, two, rtol=1e-6)


def test_text_is_fitted_by_a_flow_of_categories(folder):
    assert main(["fit", "rows.csv", "-o", "kinds.npz", "--columns", "kind"]) == 0
    drawn = destructors.load("kinds.npz").sample(20, random_state=0)
    assert set(drawn["kind"]) == {"u", "v"}


def test_numbers_beside_text_are_fitted_by_a_mixture(folder):
    job = ["fit", "rows.csv", "-o", "both.npz", "--drop", "weight"]
    assert main([*job, "--set", "n_components=2"]) == 0
    drawn = destructors.load("both.npz").sample(20, random_state=0)
    assert list(drawn) == ["a", "b", "kind"]
    assert set(drawn["kind"]) <= {"u", "v"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "none.csv", "-o", "m.npz"], "There is no file none.csv"),
        (["fit", "rows.csv", "-o", "m.npz", "--model", "rbig"], "kind"),
        (["fit", "rows.csv", "-o", "m.npz", "--columns", "c"], "no column 'c'"),
        (["fit", "rows.npy", "-o", "m.npz", "--drop", "a"], "no names of columns"),
        ([*FIT[:-2], "nothing=1"], "Invalid parameter 'nothing'"),
        (["score", "rows.csv", "rows.csv"], "no file of destructors.save"),
        (["fit", "rows.txt", "-o", "m.npz"], "must end in .csv"),
    ],
)
def test_bad_files_give_one_line_and_code_1(folder, capsys, arguments, message):
    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not list(folder.glob("m.npz"))


@pytest.mark.parametrize(
    "arguments",
    [
        [*FIT, "--max-time", "-3"],
        [*FIT, "--max-time", "nan"],
        ["sample", "model.npz", "-n", "0"],
        ["fit", "rows.csv"],
        [*FIT[:-2], "max_iter"],
        [],
    ],
)
def test_wrong_arguments_end_with_code_2(folder, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_a_score_needs_the_columns_of_the_model(folder, capsys):
    assert main(FIT) == 0
    pd.read_csv("rows.csv")[["a"]].to_csv("less.csv", index=False)
    assert main(["score", "model.npz", "less.csv"]) == 1
    assert "no column 'b'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.npy", "t.npz"])
def test_tables_come_back_as_they_were_written(tmp_path, name):
    X = np.random.default_rng(0).normal(size=(7, 2))
    table = X if ".np" in name else pd.DataFrame(X, columns=["p", "q"])
    write_table(table, tmp_path / name)
    np.testing.assert_array_equal(np.asarray(read_table(tmp_path / name)), X)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_of_several_arrays_one_must_be_named(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"holds 2 arrays \(a, b\)"):
        read_table(tmp_path / "two.npz")


def test_the_module_runs():
    command = [sys.executable, "-m", "destructors", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == destructors.__version__
