"""The law of maps, on the map of every destructor; and both paths of every kernel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from destructors import maps
from destructors.maps import Map
from destructors.maps._map import Data
from destructors.testing import check_map
from tests.registry import ALIGNMENT, REGISTRY

ENTRIES = REGISTRY | {name: entry for name, (_, entry) in ALIGNMENT.items()}


@pytest.fixture(scope="module")
def fitted():
    """Fit each entry when it is asked for, once."""
    from destructors.testing._case import Case

    cache = {}

    def get(name):
        if name not in cache:
            entry = ENTRIES[name]
            case = Case(entry.destructor, entry.law.get("X"), 0, 1.0)
            X = case.X_test
            if case.is_discrete:
                X = X.astype(np.int64)
            cache[name] = case.model, X
        return cache[name]

    return get


@pytest.mark.parametrize("name", ENTRIES)
def test_law_of_maps(name, fitted):
    model, X = fitted(name)
    rows = X if model._schema is None else model._schema.encode(X)
    numeric = model._schema is None or not (model._schema.kinds > 0).any()
    check_map(model.map_, rows, savable=is_savable(model), smooth=numeric)


def is_savable(model):
    try:
        maps._save.pack(model.map_, {}, "map")
    except TypeError:
        return False
    return True


def kinds_in(value):
    """Names of all kinds of data in a map."""
    found = set()
    if isinstance(value, Data):
        found.add(type(value).__name__)
        for _, part in value.field_values():
            found |= kinds_in(part)
    elif isinstance(value, tuple):
        for part in value:
            found |= kinds_in(part)
    return found


def test_every_public_kind_of_map_is_under_the_law(fitted):
    public = {
        name
        for name in maps.__all__
        if isinstance(getattr(maps, name), type)
        and issubclass(getattr(maps, name), Map)
        and not getattr(maps, name).__abstractmethods__
    }
    assert {"Affine", "Chain"} <= public
    seen = set().union(*(kinds_in(fitted(name)[0].map_) for name in ENTRIES))
    assert public <= seen, public - seen


def test_plain_path_equals_compiled_path(fitted, tmp_path):
    names = [name for name in ENTRIES if is_savable(fitted(name)[0])]
    for name in names:
        model, X = fitted(name)
        density = model.to_density()
        density.save(tmp_path / f"{name}.npz")
        np.savez(tmp_path / f"rows of {name}", X=X, Z=density.forward(X)[0])
    code = f"""
import sys, warnings
sys.modules["numba"] = None
warnings.simplefilter("ignore", RuntimeWarning)
import numpy as np, destructors
from tests import domains
from destructors.maps._jit import has_numba
assert not has_numba()
for name in {names!r}:
    density = destructors.load(name + ".npz")
    with np.load(f"rows of {{name}}.npz") as rows:
        X, Z = rows["X"], rows["Z"]
    forward, inverse = density.forward(X), density.inverse(Z)
    np.savez("plain " + name, Z=forward[0], log_det=forward[1], X=inverse[0],
             log_det_back=inverse[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        model, X = fitted(name)
        density = model.to_density()
        Z, log_det = density.forward(X)
        back, log_det_back = density.inverse(Z)
        scale = np.where((s := np.std(X, axis=0)) > 0, s, 1.0)
        with np.load(tmp_path / f"plain {name}.npz") as plain:
            close = {"rtol": 1e-9, "atol": 1e-9}
            np.testing.assert_allclose(plain["Z"], Z, err_msg=name, **close)
            np.testing.assert_allclose(plain["log_det"], log_det, err_msg=name, **close)
            np.testing.assert_allclose(
                plain["X"] / scale, back / scale, err_msg=name, **close
            )
            np.testing.assert_allclose(
                plain["log_det_back"], log_det_back, err_msg=name, **close
            )
