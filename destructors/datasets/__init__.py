"""Toy densities, loaders of public data sets, and tables in files."""

from destructors.datasets._generated import (
    make_autoregressive,
    make_banana,
    make_discrete_gaussian_grid,
    make_gaussian_grid,
    make_sine_wave,
)
from destructors.datasets._loaders import (
    load_anomaly,
    load_binary,
    load_cop,
    load_density,
    load_mnist,
    load_mushroom,
)
from destructors.datasets._planar import (
    make_checkerboard,
    make_concentric_circles,
    make_pinwheel,
    make_rings,
    make_spirals,
)
from destructors.datasets._tables import read_table, write_table

__all__ = [
    "load_anomaly",
    "load_binary",
    "load_cop",
    "load_density",
    "load_mnist",
    "load_mushroom",
    "make_autoregressive",
    "make_banana",
    "make_checkerboard",
    "make_concentric_circles",
    "make_discrete_gaussian_grid",
    "make_gaussian_grid",
    "make_pinwheel",
    "make_rings",
    "make_sine_wave",
    "make_spirals",
    "read_table",
    "write_table",
]
