"""Density destructors: invertible maps from data to a known base distribution.

The ready-made stacks are here; layers and the means to compose one's own are in the
subpackages :mod:`destructors.compose`, :mod:`destructors.marginal`,
:mod:`destructors.linear` and so on. Nothing is imported before it is used.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "RBIG",
    "AlignmentFlow",
    "AutoDestructor",
    "DeepCopula",
    "DiscreteTreeFlow",
    "GaussianCopula",
    "ImagePairsCopula",
    "ImagePairsTree",
    "PatchFlow",
    "RandomLinearFlow",
    "RandomTreeFlow",
    "SlicedGaussianization",
    "TreeFlow",
    "__version__",
    "describe",
    "load",
    "open_rows",
    "save",
    "write_rows",
]

if TYPE_CHECKING:
    from destructors.flows import (
        RBIG,
        AlignmentFlow,
        AutoDestructor,
        DeepCopula,
        DiscreteTreeFlow,
        GaussianCopula,
        ImagePairsCopula,
        ImagePairsTree,
        PatchFlow,
        RandomLinearFlow,
        RandomTreeFlow,
        SlicedGaussianization,
        TreeFlow,
    )
    from destructors.inspection import describe
    from destructors.maps import load, save
    from destructors.rows import open_rows, write_rows


# Where names of the top level are, if not among the flows.
_ROOMS = {
    "describe": "inspection",
    "load": "maps",
    "open_rows": "rows",
    "save": "maps",
    "write_rows": "rows",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        room = _ROOMS.get(name, "flows")
        return getattr(import_module(f"destructors.{room}"), name)
    if not name.startswith("_") and find_spec(f"destructors.{name}"):
        return import_module(f"destructors.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
