"""The models that the density job compares: one entry each.

An entry makes an unfitted model from a random state. A model has ``fit(X)`` or
``fit(X, X_val=...)``, `score_samples` and ``sample(n_samples, random_state)``; one with
`transform` and `inverse_transform` has its round trip measured too. One whose `fit` has
``max_time`` can be capped.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.peers import KernelDensityByValidation, MixtureByValidation
from benchmarks.registry import Entry, by_name, modules
from destructors.compose import IterativeDestructor
from destructors.flows import RBIG, AutoDestructor, GaussianCopula, TreeFlow
from destructors.linear import Whitening
from destructors.marginal import SplineGaussianizer

__all__ = ["MODELS"]


def _neural(flow: str, random_state: int) -> Any:
    # PyTorch is optional, and takes seconds to import.
    from benchmarks.neural import NeuralFlow

    return NeuralFlow(flow, random_state)


MODELS = by_name(
    [
        Entry(
            "auto",
            lambda random_state: AutoDestructor(random_state=random_state),
            "AutoDestructor as it comes",
            "destructors",
        ),
        Entry(
            "tree-flow",
            lambda random_state: TreeFlow(random_state=random_state),
            "TreeFlow as it comes: mixture, then boosted trees",
            "destructors",
        ),
        Entry(
            "rbig",
            lambda random_state: RBIG(random_state=random_state),
            "RBIG, principal axes and random rotations by turns",
            "destructors",
        ),
        Entry(
            "rbig-random",
            lambda random_state: RBIG(rotation="random", random_state=random_state),
            "RBIG, random rotations",
            "destructors",
        ),
        Entry(
            "iterative",
            lambda random_state: IterativeDestructor(random_state=random_state),
            "IterativeDestructor as it comes",
            "destructors",
        ),
        Entry(
            "copula",
            lambda random_state: GaussianCopula(),
            "GaussianCopula: marginals, then one normal",
            "baseline",
        ),
        Entry(
            "gaussian",
            lambda random_state: Whitening(),
            "one normal: Whitening alone",
            "baseline",
        ),
        Entry(
            "marginal",
            lambda random_state: SplineGaussianizer(),
            "independent features: SplineGaussianizer alone",
            "baseline",
        ),
        Entry(
            "gaussian-mixture",
            MixtureByValidation,
            "scikit-learn's GaussianMixture, 1 to 64 components by validation",
            "scikit-learn",
        ),
        Entry(
            "kernel-density",
            lambda random_state: KernelDensityByValidation(),
            "scikit-learn's KernelDensity, bandwidth by validation",
            "scikit-learn",
        ),
        *(
            Entry(
                name,
                partial(_neural, name),
                f"zuko's {about}, slow: by name or --peers",
                "neural",
                modules("torch", "zuko", install="-e '.[bench]'"),
                by_default=False,
            )
            for name, about in [
                ("maf", "masked autoregressive flow"),
                ("nsf", "neural spline flow"),
            ]
        ),
    ]
)
