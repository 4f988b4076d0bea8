"""The commands: each takes the parsed arguments, and prints what it has done."""

import argparse
import sys
from time import perf_counter
from typing import Any

import numpy as np

from destructors import flows, load, save
from destructors.datasets import read_table, write_table
from destructors.estimators import MixtureDensity
from destructors.maps import Density

MODELS = {
    "tree-flow": flows.TreeFlow,
    "auto": flows.AutoDestructor,
    "rbig": flows.RBIG,
    "gaussian-copula": flows.GaussianCopula,
    "sliced": flows.SlicedGaussianization,
    "discrete-tree-flow": flows.DiscreteTreeFlow,
    "mixture": MixtureDensity,
}


def fit(args: argparse.Namespace) -> None:
    """Fit a density to the rows of a table, and save it."""
    X, weight = _take_columns(read_table(args.data), args, args.data)
    model = _make_model(args, X)
    given: dict[str, Any] = {} if weight is None else {"sample_weight": weight}
    if args.validation is not None:
        X_val = read_table(args.validation)
        given["X_val"] = _take_columns(X_val, args, args.validation)[0]
    began = perf_counter()
    model.fit(X, **given)
    seconds = perf_counter() - began
    save(model, args.output)
    kind, size = type(model).__name__, args.output.stat().st_size
    print(f"{kind} of {len(X):,} rows and {X.shape[1]} columns in {seconds:.1f} s.")
    held_out = getattr(model, "validation_score_", None)
    if isinstance(held_out, dict):
        # Of each number of components: the best was taken.
        held_out = [max(held_out.values(), default=np.nan)]
    if held_out is not None and len(held_out) and np.isfinite(held_out[-1]):
        print(f"Held-out rows: {held_out[-1]:.4f} nats a row.")
    print(f"Saved in {args.output}, {size / 1e6:,.2f} MB.")


def score(args: argparse.Namespace) -> None:
    """Print the mean log density of the rows of a table; write those of all rows."""
    density = _load_density(args.model)
    X = _match_columns(read_table(args.data), density)
    log_density = density.logpdf(X)
    error = log_density.std() / np.sqrt(len(log_density))
    print(
        f"{len(log_density):,} rows: {log_density.mean():.4f} nats a row, with a "
        f"standard error of {error:.4f}."
    )
    if args.output is not None:
        write_table(log_density[:, None], args.output, ["log_density"])


def sample(args: argparse.Namespace) -> None:
    """Draw rows from a saved density."""
    density = _load_density(args.model)
    X = density.sample(args.n_samples, random_state=args.random_state)
    write_table(X, args.output)


def info(args: argparse.Namespace) -> None:
    """Print what a saved file holds."""
    density = _load_density(args.model)
    n_maps = len(getattr(density.map, "maps", (density.map,)))
    print(f"{density.n_features} columns, {n_maps} maps in a row.")
    print(f"Size: {args.model.stat().st_size / 1e6:,.2f} MB.")
    print(f"Learned by: {density.origin or 'unknown'}")
    if density.schema is not None:
        print("Columns:")
        for column in density.schema.columns:
            kind = f"{column.kind} categories" if column.kind > 0 else column.dtype
            print(f"  {column.name}: {kind}")
    if density.labels is not None:
        print(f"Domains: {', '.join(map(str, density.labels))}")


def compile_kernels(args: argparse.Namespace) -> None:
    """Compile what fits need, so that the first one need not."""
    from destructors.maps._jit import has_numba

    if not has_numba():
        raise ImportError("Nothing is compiled: numba is missing, or switched off.")
    from destructors.command._compile import use_models
    from destructors.maps._kernel_cache import cache_folder

    use_models()
    print(f"Kernels are compiled, and kept in {cache_folder()}.")


def _load_density(path: Any) -> Density:
    model = load(path)
    if not isinstance(model, Density):
        raise ValueError(
            f"{path} holds a {type(model).__name__}, and this command takes densities: "
            "use it in Python, by destructors.load."
        )
    return model


# ---------------------------------------------------------------------- what to fit


def _make_model(args: argparse.Namespace, X: Any) -> Any:
    name = args.model or _choose(X)
    model = MODELS[name]()
    known = model.get_params(deep=False)
    params = {"random_state": args.random_state, "verbose": int(not args.quiet)}
    params = {key: params[key] for key in params if key in known}
    if args.max_time is not None:
        if "max_time" not in known:
            raise ValueError(f"--max-time: {name} has no steps to stop between.")
        params["max_time"] = args.max_time
    model.set_params(**params)
    return model.set_params(**dict(args.set))


def _choose(X: Any) -> str:
    """Return the name of the model for columns such as these."""
    if not hasattr(X, "dtypes"):
        return "tree-flow"
    text = [name for name in X if X[name].dtype == "category"]
    if not text:
        return "tree-flow"
    if len(text) == X.shape[1]:
        return "discrete-tree-flow"
    return "mixture"


def _take_columns(X: Any, args: argparse.Namespace, path: Any) -> tuple[Any, Any]:
    """Return the columns that are asked for, and the weights."""
    asked = [*(args.columns or ()), *(args.drop or ()), *filter(None, [args.weight])]
    if not asked:
        return X, None
    if not hasattr(X, "columns"):
        raise ValueError(f"{path} has no names of columns to choose by.")
    absent = [name for name in asked if name not in X]
    if absent:
        known = ", ".join(map(str, X.columns))
        raise ValueError(f"{path} has no column {absent[0]!r}; there are {known}.")
    weight = None if args.weight is None else X[args.weight].to_numpy()
    names = args.columns or list(X.columns)
    out = {*(args.drop or ()), args.weight}
    kept = [name for name in names if name not in out]
    if not kept:
        raise ValueError("No column is left.")
    return X[kept], weight


def _match_columns(X: Any, density: Any) -> Any:
    """Return the columns that the density is of, where there are more."""
    if density.schema is None or not hasattr(X, "columns"):
        return X
    names = density.schema.names
    absent = [name for name in names if name not in X]
    if absent:
        raise ValueError(f"The rows have no column {absent[0]!r}, which the model has.")
    if len(names) < X.shape[1]:
        print("More columns than the model has are left out.", file=sys.stderr)
    return X[names]
