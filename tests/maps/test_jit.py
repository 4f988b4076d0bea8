"""Kernels are compiled when they are called, and kept where one can write."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import destructors
from destructors.maps._jit import has_numba, jit
from destructors.marginal import SplineGaussianizer

# A kernel that takes no time to compile.
KERNEL = """
import numpy as np
from destructors.maps._jit import jit

@jit
def add(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i]
    return total

print(add(np.arange(4.0)))
"""

# What it warns of goes to the output, too. Each time it is a kernel of its own.
WARNED = f"""
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exec({KERNEL!r})
    exec({KERNEL!r})
print(*[warning.message for warning in caught], sep="\\n")
"""

FIT = """
import numpy as np
from destructors.marginal import SplineGaussianizer
X = np.random.RandomState(0).gamma(2.0, size=(50, 1))
print(repr(float(SplineGaussianizer().fit(X).score(X))))
"""

# Other rows, more of them, in other memory, than the installation has seen.
FITS = """
import numpy as np
from destructors import flows
from destructors.estimators import OutlierDetector
rng = np.random.default_rng(1)
X = rng.standard_normal((3000, 4)) + 4.0 * rng.integers(0, 2, (3000, 4))
for model in (flows.TreeFlow(), flows.RBIG(), flows.SlicedGaussianization()):
    model.set_params(random_state=0).fit(X).score(X)
    model.inverse_transform(model.transform(X))
    model.sample(10)
flows.TreeFlow(random_state=0).fit(np.asfortranarray(X), sample_weight=rng.random(3000))
flows.TreeFlow(random_state=0).fit(X[:, :1].astype(np.float32)).sample(10)
OutlierDetector(random_state=0).fit(X[:500]).score_samples(X)
codes = X.round().astype(int)
flows.DiscreteTreeFlow(random_state=0).fit(codes).score(codes)
domains = np.arange(len(X)) % 3
flows.AlignmentFlow(random_state=0).fit(X, sample_domain=domains)
"""

needs_numba = pytest.mark.skipif(not has_numba(), reason="kernels are not compiled")


def run(code, *options, **environment):
    """Run code in a new interpreter; None takes a variable away."""
    merged = os.environ | {"PYTHONPATH": str(Path(destructors.__file__).parents[1])}
    merged |= environment
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env={name: value for name, value in merged.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done


def test_works_where_nothing_can_be_written(tmp_path):
    leave = shutil.ignore_patterns("__pycache__")
    home = Path(destructors.__file__).parent
    copy = shutil.copytree(home, tmp_path / "destructors", ignore=leave)
    files = sorted(copy.rglob("*"))
    for path in (*files, copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Root may write anywhere, but no one below what is no folder.
    nowhere = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": None,
        "NUMBA_CACHE_DIR": None,
    }
    try:
        silent = run("import destructors.flows", "-W", "error", **nowhere)
        done = run(WARNED, **nowhere)
        assert sorted(copy.rglob("*")) == files
    finally:
        for path in (*files, copy):
            path.chmod(0o755)
    assert silent.stderr == ""
    first, second, *warned = done.stdout.splitlines()
    assert float(first) == float(second) == 6.0
    if has_numba():
        [warning] = warned
        assert "/dev/null" in warning
        assert "NUMBA_CACHE_DIR" in warning


@pytest.fixture
def bare(tmp_path_factory):
    """Return the folder of a copy of the package that has no kernels."""
    leave = shutil.ignore_patterns("__pycache__", "kernels")
    folder = tmp_path_factory.mktemp("bare")
    shutil.copytree(
        Path(destructors.__file__).parent, folder / "destructors", ignore=leave
    )
    return folder


@needs_numba
def test_kernels_are_kept_in_the_folder_that_is_named(tmp_path, bare):
    where = {"PYTHONPATH": str(bare), "NUMBA_CACHE_DIR": str(tmp_path)}
    first = run(FIT, "-W", "error", **where)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.kernel")}
    assert kept
    # One signature each.
    names = [path.name.rpartition("-")[0] for path in kept]
    assert len(names) == len(set(names)), names
    again = run(FIT, "-W", "error", **where)
    # Found there: nothing is compiled, and nothing said.
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.kernel")} == kept
    assert again.stdout == first.stdout
    assert again.stderr == ""


@needs_numba
def test_kernels_are_kept_in_the_cache_folder_of_the_user(tmp_path):
    run(KERNEL, NUMBA_CACHE_DIR=None, XDG_CACHE_HOME=str(tmp_path), HOME=str(tmp_path))
    assert list(tmp_path.rglob("*.kernel"))


@needs_numba
def test_a_damaged_file_is_made_again(tmp_path):
    first = run(KERNEL, NUMBA_CACHE_DIR=str(tmp_path))
    kept = list(tmp_path.rglob("*.kernel"))
    sizes = {path: path.stat().st_size for path in kept}
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    again = run(KERNEL, "-W", "error", NUMBA_CACHE_DIR=str(tmp_path))
    assert again.stdout == first.stdout
    for path in kept:
        assert path.stat().st_size > 0.5 * sizes[path]


@needs_numba
def test_what_an_installation_has_compiled_is_found_first(tmp_path, bare):
    kept, unused = tmp_path / "kept", tmp_path / "unused"
    first = run(FIT, PYTHONPATH=str(bare), NUMBA_CACHE_DIR=str(kept))
    installed = bare / "destructors" / "kernels"
    installed.mkdir()
    for path in kept.rglob("*.kernel"):
        shutil.copy(path, installed)
    where = {"PYTHONPATH": str(bare), "NUMBA_CACHE_DIR": str(unused)}
    again = run(FIT, "-W", "error", **where)
    assert again.stdout == first.stdout
    assert not unused.exists()
    # Where one is damaged it is compiled, and kept where one may write.
    for path in installed.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert run(FIT, "-W", "error", **where).stdout == first.stdout
    names = {path.name for path in unused.rglob("*.kernel")}
    assert names == {path.name for path in kept.rglob("*.kernel")}


@needs_numba
@pytest.mark.slow
def test_the_command_compiles_all_that_common_fits_need(tmp_path, bare):
    where = {"PYTHONPATH": str(bare), "NUMBA_CACHE_DIR": str(tmp_path)}
    run("from destructors.command import main; assert main(['compile']) == 0", **where)
    kept = set(tmp_path.rglob("*.kernel"))
    assert kept
    run(FITS, "-W", "error", **where)
    assert set(tmp_path.rglob("*.kernel")) == kept


def test_the_build_has_what_the_package_needs():
    root = Path(destructors.__file__).parents[1]
    if not (root / "pyproject.toml").exists():
        pytest.skip("the package does not lie in a checkout")
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    needed = set(settings["project"]["dependencies"])
    assert needed < set(settings["build-system"]["requires"])


@needs_numba
def test_garbage_is_collected_again_after_compiling(tmp_path):
    broken = KERNEL.replace("return total", "return total.nothing")
    code = f"""
import gc
exec({KERNEL!r})
assert gc.isenabled()
try:
    exec({broken!r})
except Exception:
    assert gc.isenabled()
else:
    raise AssertionError
gc.disable()
exec({KERNEL!r})
assert not gc.isenabled()
"""
    run(code, NUMBA_CACHE_DIR=str(tmp_path))


def test_numba_is_imported_with_the_first_kernel_only():
    run("import sys, destructors.flows; assert 'numba' not in sys.modules")


def test_numba_without_compilation_is_as_good_as_none():
    code = """
import numpy as np
from destructors.maps._jit import has_numba, jit
from destructors.maps._rosenblatt import Rosenblatt
assert not has_numba()
mixture = Rosenblatt(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
print(mixture.forward(np.array([[1.5]]))[0].item())
"""
    done = run(code, "-W", "error", NUMBA_DISABLE_JIT="1")
    assert abs(float(done.stdout) - 1.5) < 1e-12


def test_fits_without_compilation():
    plain = run(FIT, "-W", "error", NUMBA_DISABLE_JIT="1")
    X = np.random.RandomState(0).gamma(2.0, size=(50, 1))
    compiled = SplineGaussianizer().fit(X).score(X)
    assert abs(float(plain.stdout) - compiled) < 1e-9


def _sum_of(values):
    total = 0.0
    for i in range(len(values)):
        total += values[i]
    return total


@pytest.mark.skipif(not has_numba(), reason="numba is missing")
def test_sums_in_any_order_are_compiled_apart_from_those_in_order():
    from destructors.maps._kernel_cache import KernelCache

    in_order, in_any = jit(_sum_of), jit(_sum_of, any_order=True)
    assert (
        KernelCache(in_order)._digest.digest() != KernelCache(in_any)._digest.digest()
    )
    values = np.random.default_rng(0).normal(size=1001)
    assert in_order(values) == sum(values.tolist())
    np.testing.assert_allclose(in_any(values), values.sum(), rtol=0, atol=1e-12)


@jit
def _times(x, factor):
    return x * factor


def _both(x):
    return _times(x, 2) + _times(x, 3)


@needs_numba
def test_a_callee_is_compiled_once_for_all_constants(tmp_path, monkeypatch):
    from numba import config

    # Of what is kept on disk no callee is compiled.
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert jit(_both)(7) == 35
    assert len(_times.callee.overloads) == 1
    # It is code for callers only; called from Python it has code of its own.
    assert _times(7, 2) == 14
