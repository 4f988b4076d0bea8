"""The house: imports run one way, calls are not deep, and importing is cheap."""

import ast
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

import destructors
from destructors.flows import TreeFlow

ROOT = Path(destructors.__file__).parent
FAMILIES = {
    "marginal",
    "linear",
    "mixture",
    "autoregressive",
    "tree",
    "discrete",
    "alignment",
    "image",
}
# From the ground up: a room may import what lies below it.
FLOORS = [
    {"maps"},
    {"exceptions"},
    {"base_distributions"},
    {"_compat"},
    {"_composite", "_stiefel"},
    {"rows"},
    {"table"},
    {"base"},
    {"metrics"},
    {"greedy"},
    FAMILIES,
    {"compose"},
    {"flows"},
    {"estimators"},
    {"inspection", "information", "datasets", "testing"},
    {"callbacks"},
    {"command"},
    {"__main__"},
]
# What is asked for from above, when a method is called and at no other time: a model
# shows what it has learned by what knows all models.
ASKED_FOR = {("destructors.base._inspection", "destructors.inspection")}


def room_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def floor_of(room: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def imports() -> list[tuple[str, str]]:
    """Every import of the package from itself: (who, what)."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("destructors", *path.relative_to(ROOT).with_suffix("").parts)
        who = ".".join(parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{who} has a relative import"
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            found += [(who, name) for name in names if name.startswith("destructors")]
    return found


def test_the_graph_is_seen():
    assert ("destructors.flows._tree_flow", "destructors.tree") in imports()


@pytest.mark.parametrize(
    ("who", "what"),
    [pair for pair in imports() if room_of(pair[0]) and room_of(pair[1])],
    ids=lambda name: name.removeprefix("destructors."),
)
def test_imports_run_one_way(who, what):
    above, below = room_of(who), room_of(what)
    if above == below or (who, what) in ASKED_FOR:
        return
    assert not {above, below} <= FAMILIES, "no family knows another"
    assert floor_of(below) < floor_of(above), f"{below} is not below {above}"


def test_what_is_asked_for_from_above_is_not_imported_with_the_module():
    for who, what in ASKED_FOR:
        loaded = run(f"import sys, {who}; print(*sorted(sys.modules))").split()
        assert who in loaded
        assert what not in loaded


def test_maps_need_numpy_and_scipy_only():
    allowed = {"numpy", "scipy", "numba", "pandas", "polars", "destructors"}
    for path in sorted((ROOT / "maps").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                top = name.split(".")[0]
                assert top in allowed | sys.stdlib_module_names, (path.name, name)


def test_files_are_small():
    lines = {path: len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    long = {path.name: n for path, n in lines.items() if n > 600}
    assert not long, "more than one idea a file?"


# ---------------------------------------------------------------- importing


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_importing_the_package_imports_nothing_else():
    code = "import sys, destructors; print(*sorted(sys.modules))"
    loaded = run(code).split()
    for heavy in ("numpy", "scipy", "sklearn", "numba", "pandas"):
        assert heavy not in loaded


@pytest.mark.parametrize("name", sorted(set(destructors.__all__) - {"__version__"}))
def test_names_at_the_top(name):
    found = getattr(destructors, name)
    assert found.__name__ == name
    assert name in dir(destructors)


def test_unknown_name_at_the_top():
    with pytest.raises(AttributeError, match="no attribute 'TreeFlo'"):
        destructors.TreeFlo  # noqa: B018


# ---------------------------------------------------------------- depth of calls


def test_from_fit_to_the_split_kernel(monkeypatch):
    from destructors.tree import _growth

    depths = []
    kernel = _growth.grow_tree

    def watched(*arguments):
        names = [frame.name for frame in traceback.extract_stack()]
        # The last `fit` is the public one; this function stands for the kernel.
        depths.append(len(names) - names.index("fit"))
        return kernel(*arguments)

    monkeypatch.setattr(_growth, "grow_tree", watched)
    X = np.random.default_rng(0).gamma(2.0, size=(300, 2))
    TreeFlow(n_components=1, max_trees=2, cv=None, random_state=0).fit(X)
    assert depths
    assert max(depths) <= 10


def test_candidates_are_made_once_a_fit(monkeypatch):
    calls = []
    named = TreeFlow._named_candidates

    def counted(self):
        calls.append(self)
        return named(self)

    monkeypatch.setattr(TreeFlow, "_named_candidates", counted)
    X = np.random.default_rng(0).gamma(2.0, size=(300, 2))
    TreeFlow(n_components=1, max_trees=2, random_state=0).fit(X)
    assert len(calls) == 1
