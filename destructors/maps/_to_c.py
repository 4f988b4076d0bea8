"""A density as one file of C99, for devices that have nothing else."""

import itertools
import re
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors import __version__
from destructors.maps._affine import Affine, Identity
from destructors.maps._boosted import BoostedRosenblatt
from destructors.maps._c_kernels import KERNELS, NEEDS
from destructors.maps._c_normal import write_numbers
from destructors.maps._combine import Chain
from destructors.maps._cube import CubeSteps
from destructors.maps._density import Density
from destructors.maps._distributions import StandardNormal
from destructors.maps._histogram import HistogramColumns
from destructors.maps._map import Map
from destructors.maps._replace import replaced
from destructors.maps._rosenblatt import Rosenblatt
from destructors.maps._spline import QuadraticSpline, RationalQuadraticSpline, Spline
from destructors.maps._trees import Trees


def to_c(density: Any, path: str | PathLike[str], *, name: str = "score") -> None:
    """Write a density as one file of C99 that scores rows and depends on nothing.

    The file defines ``double score(const double *x)``, the log density of a row in
    nats, and ``void score_rows(const double *x, size_t n, double *out)``. It takes no
    memory from the heap and keeps no state. Scores are those of `Density.logpdf` but
    for 1e-9, beside 1 and beside the score.

    Parameters
    ----------
    density : Density or Destructor
        A density, or a fitted destructor: of numbers, made of affine maps, splines,
        histograms, blocks, mixtures and trees, as `TreeFlow`, `RBIG` and
        `GaussianCopula` are.
    path : str or path-like
        Name of the file, such as ``"model.c"``.
    name : str, default="score"
        Name of the function.

    Raises
    ------
    TypeError
        If it holds a map that C cannot be written for; the map is named.
    ValueError
        If the name is none of C, or the density has columns that are no numbers, or
        ends on another base than the standard normal.

    Notes
    -----
    Compile it without ``-ffast-math``, which would take digits from it. Where a row
    stands on the last digits of a cut of a tree, where the density jumps, rounding may
    take it to the other side. Rows must be finite.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from destructors.flows import GaussianCopula
    >>> from destructors.maps import to_c
    >>> X = np.random.default_rng(0).gamma(2.0, size=(500, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "copula.c")
    ...     to_c(GaussianCopula().fit(X), path)
    ...     text = path.read_text()
    >>> "double score(const double *x)" in text
    True
    """
    if not isinstance(density, Density):
        if not hasattr(density, "to_density"):
            raise TypeError(
                "A fitted destructor or a Density can be written as C, got "
                f"{type(density).__name__}."
            )
        density = density.to_density()
    if not re.fullmatch(r"[A-Za-z_]\w*", name, flags=re.ASCII):
        raise ValueError(f"name must be one of C, such as 'score', got {name!r}.")
    if (density.n_categories > 0).any():
        raise ValueError("The density has categories: C is written for numbers only.")
    if not isinstance(density.base, StandardNormal):
        raise ValueError(
            "C is written for densities that end on the standard normal, not on "
            f"{density.base!r}."
        )
    text = _Writer(density.n_features).write(density, name)
    with replaced(Path(path)) as temporary:
        temporary.write_text(text, encoding="ascii")


class _Writer:
    """Tables and steps of a file, as maps are added.

    Parameters
    ----------
    n_features : int
        Number of columns.
    """

    def __init__(self, n_features: int):
        self.n_features = n_features
        self.kernels, self.tables, self.steps = {"clip"}, list[str](), list[str]()
        # What does not depend on the row.
        self.constant = 0.0

    def write(self, density: Density, name: str) -> str:
        """Return the text of the file."""
        self.add(density.map)
        n = self.n_features
        origin = re.sub(r"\W+", " ", density.origin, flags=re.ASCII) or "density"
        columns = "row" if n == 1 else f"row of {n} numbers"
        return "\n".join(
            [
                f"/* Log density of a {columns}, in nats: {origin}, written by",
                f"   destructors {__version__}. C99; compile without -ffast-math. */",
                "#include <float.h>\n#include <math.h>\n#include <stddef.h>\n",
                f"#define N {n}\n",
                *(text for kind, text in KERNELS.items() if kind in self.kernels),
                *self.tables,
                f"double {name}(const double *x) {{",
                f"  double z[N], total = {self.constant!r} - N * HALF_LOG_2PI;",
                "  for (int j = 0; j < N; j++) z[j] = x[j];",
                *self.steps,
                "  for (int j = 0; j < N; j++) {",
                "    double far = clip(z[j], 1e150);",
                "    total -= 0.5 * far * far;",
                "  }",
                "  return total;\n}\n",
                f"void {name}_rows(const double *x, size_t n, double *out) {{",
                f"  for (size_t i = 0; i < n; i++) out[i] = {name}(x + i * N);\n}}\n",
            ]
        )

    def add(self, part: Map) -> None:
        """Add a map.

        Raises
        ------
        TypeError
            If there is no kernel for it.
        """
        if isinstance(part, Chain):
            for inner in part.maps:
                self.add(inner)
            return
        write = _WRITERS.get(type(part))
        if write is None:
            known = sorted(kind.__name__ for kind in _WRITERS)
            raise TypeError(
                f"C cannot be written for {type(part).__name__}, only for "
                f"{', '.join(known)} and chains of these."
            )
        write(self, part)

    def table(self, values: Any, kind: str = "double") -> str:
        """Add a table of numbers; return its name."""
        name = f"t{len(self.tables)}"
        numbers = write_numbers(values)
        self.tables.append(f"static const {kind} {name}[] = {{\n    {numbers}}};\n")
        return name

    def call(self, kernel: str, step: str) -> None:
        """Add a step, and the kernel that it calls."""
        self.kernels.update((kernel, *NEEDS.get(kernel, ())))
        self.steps.append(f"  {step};")


# ---------------------------------------------------------------------- maps


def _write_nothing(writer: _Writer, part: Identity) -> None:
    pass


def _write_affine(writer: _Writer, part: Affine) -> None:
    writer.constant += part._log_det
    if not part._is_centred:
        places = writer.table(part.location), writer.table(part.scale)
        writer.call("affine", f"standardise(z, {', '.join(places)})")
    if part.matrix is not None:
        writer.call("matrix", f"multiply(z, {writer.table(part.matrix)})")


def _write_spline(writer: _Writer, part: Spline) -> None:
    kernel = "rational" if isinstance(part, RationalQuadraticSpline) else "quadratic"
    tables = [writer.table(x) for x in (part.knots, part.values, part.slopes)]
    tables.append(writer.table(part.starts, "int"))
    writer.call(kernel, f"total += {kernel}_spline(z, {', '.join(tables)})")


def _write_histogram(writer: _Writer, part: HistogramColumns) -> None:
    columns = part._columns
    # One number for each edge, so that all tables have the same places.
    lists = [
        [column.edges for column in columns],
        [column.values for column in columns],
        [column.below for column in columns],
        [column.above for column in columns],
        [np.r_[column.probabilities, 0.0] for column in columns],
        [np.r_[_log_densities(column), 0.0] for column in columns],
        [column.tail_slopes for column in columns],
    ]
    tables = [writer.table(np.concatenate(parts)) for parts in lists]
    tables.append(_write_starts(writer, lists[0]))
    writer.call("histogram", f"total += histogram(z, {', '.join(tables)})")


def _log_densities(column: Any) -> NDArray:
    return np.log(column.probabilities) - np.log(column.widths)


def _write_steps(writer: _Writer, part: CubeSteps) -> None:
    steps = part._steps["forward"]
    if not steps.columns:
        return
    ways = zip(steps.knots, steps.values, strict=True)
    several = dict(zip(steps.columns, ways, strict=True))
    one = [np.array([0.0, 1.0])] * 2
    edges, values = zip(
        *(several.get(j, one) for j in range(writer.n_features)), strict=True
    )
    tables = [writer.table(np.concatenate(x)) for x in (edges, values)]
    tables.append(_write_starts(writer, edges))
    writer.call("steps", f"total += cube_steps(z, {', '.join(tables)})")


def _write_starts(writer: _Writer, parts: Any) -> str:
    starts = [0, *itertools.accumulate(map(len, parts))]
    return writer.table(starts, "int")


def _write_trees(writer: _Writer, part: Trees) -> None:
    if not len(part.splits):
        return
    rows = [
        f"{{{f}, {below}, {above}, {np.float32(cut)!s}f, {np.float32(moved)!s}f}}"
        for walk in part._walks
        for f, below, above, cut, moved in walk
    ]
    name = f"t{len(writer.tables)}"
    lines = ",\n    ".join(rows)
    writer.tables.append(f"static const Split {name}[] = {{\n    {lines}}};\n")
    starts = writer.table(part.starts, "int")
    writer.call("trees", f"total += trees(z, {name}, {starts}, {len(part)})")


def _write_rosenblatt(
    writer: _Writer, part: Rosenblatt, boosted: BoostedRosenblatt | None = None
) -> None:
    log_weights, before, factor, log_factor, shift, steep = part._features
    n, d = len(log_weights), writer.n_features
    pairs = [before[j, b] for j in range(d) for b in range(j)]
    # C knows no empty table.
    lists = [log_weights, np.ravel(pairs) if pairs else [0.0], factor]
    tables = [writer.table(x) for x in (*lists, log_factor, shift)]
    tables.append(writer.table(steep.astype(int), "int"))
    shares = "NULL"
    if boosted is not None and len(boosted.roots):
        numbers = [writer.table(x) for x in (boosted.edges, boosted.values)]
        trees = (boosted.nodes, boosted.roots, boosted.starts)
        numbers += [writer.table(x, "int") for x in trees]
        name = f"s{len(writer.tables)}"
        fields = ", ".join([str(boosted.values.shape[1]), *numbers])
        writer.tables.append(f"static const Shares {name} = {{{fields}}};\n")
        shares = f"&{name}"
    work = f"w{len(writer.tables)}"
    writer.steps.append(f"  double {work}[{7 * n}];")
    arguments = ", ".join([str(n), *tables, repr(float(part.tilt)), shares, work])
    if part.order is not None:
        order, places = (writer.table(x, "int") for x in (part.order, part._places))
        writer.call("reorder", f"reorder(z, {order})")
    writer.call("rosenblatt", f"total += rosenblatt(z, {arguments})")
    if part.order is not None:
        writer.call("reorder", f"reorder(z, {places})")


def _write_boosted(writer: _Writer, part: BoostedRosenblatt) -> None:
    _write_rosenblatt(writer, part.mixture, part)


_WRITERS: dict[type, Callable[[_Writer, Any], None]] = {
    Affine: _write_affine,
    BoostedRosenblatt: _write_boosted,
    CubeSteps: _write_steps,
    HistogramColumns: _write_histogram,
    Identity: _write_nothing,
    QuadraticSpline: _write_spline,
    RationalQuadraticSpline: _write_spline,
    Rosenblatt: _write_rosenblatt,
    Trees: _write_trees,
}
