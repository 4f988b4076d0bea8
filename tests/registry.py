"""Every public destructor, in the variants that matter: add a line for a new one.

The law (`destructors.testing.check_destructor`) and scikit-learn's own checks run on
each entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from destructors.autoregressive import AutoregressiveDestructor, RegressionDestructor
from destructors.base import Destructor
from destructors.compose import (
    CategoryDequantizer,
    ColumnDestructor,
    DestructorPipeline,
    IncrementalDestructor,
    IterativeDestructor,
    RadialGaussianizer,
    SlicedGaussianizer,
    TransformerDestructor,
    make_destructor_pipeline,
)
from destructors.discrete import CategoricalBase, TreePermutation
from destructors.estimators import MixtureDensity
from destructors.flows import (
    RBIG,
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
from destructors.image import (
    FeatureGroups,
    HaarPyramid,
    ImageFeaturePairs,
    PixelMixtureDestructor,
    PixelTreeDestructor,
)
from destructors.linear import (
    FixedRotation,
    ICAWhitening,
    PCARotation,
    RandomRotation,
    SlicedRotation,
    Standardize,
    Whitening,
)
from destructors.marginal import (
    BlockGaussianizer,
    BoundedSupport,
    Dequantizer,
    HistogramGaussianizer,
    KernelGaussianizer,
    NormalCDF,
    ParametricGaussianizer,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)
from destructors.mixture import BoostedMixtureDestructor, GaussianMixtureDestructor
from destructors.tree import BoostedTreeDestructor, TreeDestructor
from tests import domains

__all__ = ["ALIGNMENT", "REGISTRY", "Entry", "entry_of"]


@dataclass(frozen=True)
class Entry:
    """A destructor with what the checks should know of it.

    Attributes
    ----------
    destructor : Destructor
    law : dict
        Keyword arguments of `check_destructor`: ``max_normal_loss``, ``X``,
        ``expected_failed_checks``.
    sklearn_failures : dict of str to str
        Checks of scikit-learn that fail, each with the reason.
    """

    destructor: Destructor
    law: Mapping[str, Any] = field(default_factory=dict)
    sklearn_failures: Mapping[str, str] = field(default_factory=dict)


LOSS_FREE = {"max_normal_loss": 1e-10}
TINY_LOSS = {"max_normal_loss": 0.005}
SMALL_LOSS = {"max_normal_loss": 0.03}


def steps():
    """Return rows whose second number is the half next to the first."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=1200)
    halves = np.round(x) + rng.choice([-0.5, 0.5], len(x))
    return np.c_[x, halves + rng.uniform(-0.2, 0.2, len(x))]


# The check fits 15 different rows in 30 dimensions. After the first layer some
# directions hold nothing but rounding noise, which the next marginal magnifies.
ROUNDING_MAGNIFIED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "fewer rows than features: later layers magnify rounding noise"
    )
}

# Scalers of scikit-learn are not meant to be densities.
ANY_LOSS = {"max_normal_loss": 2.0}
FULL_RANK = {
    "check_sample_weight_equivalence_on_dense_data": (
        "fewer rows than features: the transformer cannot be inverted"
    )
}
SEARCHED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "scikit-learn searches the exponent to 1e-8, in the order of the rows"
    )
}
NOTHING_GAINED = {
    "check_transformer_n_iter": (
        "permutations that bring nothing on held-out rows are not kept, if that is all"
    )
}


def portfolio() -> list[tuple[str, Destructor]]:
    rotated = make_destructor_pipeline(SplineGaussianizer(), RandomRotation())
    return [("rotated", rotated), ("whitening", Whitening())]


def mixed_rows() -> np.ndarray:
    """Return codes, and two numbers that depend on these."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 900).astype(float)
    return np.column_stack(
        [code, 2.0 * code + rng.normal(size=900), rng.normal(size=900)]
    )


REGISTRY: dict[str, Entry] = {
    # marginal
    "spline": Entry(SplineGaussianizer(), TINY_LOSS),
    "spline-fixed": Entry(SplineGaussianizer(n_knots=8, alpha=0.1), TINY_LOSS),
    "histogram": Entry(HistogramGaussianizer(), SMALL_LOSS),
    "histogram-quantile": Entry(
        HistogramGaussianizer(strategy="quantile"), {"max_normal_loss": 0.1}
    ),
    "histogram-uniform": Entry(HistogramGaussianizer(strategy="uniform"), SMALL_LOSS),
    "kernel": Entry(KernelGaussianizer(), {"max_normal_loss": 0.01}),
    "kernel-fixed": Entry(KernelGaussianizer(bandwidth=0.2), SMALL_LOSS),
    "parametric": Entry(
        ParametricGaussianizer(["norm", "lognorm"]), {"max_normal_loss": 0.01}
    ),
    "rational-quadratic": Entry(
        RationalQuadraticGaussianizer(), {"max_normal_loss": 0.01}
    ),
    "rational-quadratic-fixed": Entry(
        RationalQuadraticGaussianizer(n_knots=8), SMALL_LOSS
    ),
    # Rows of the default data lie where the cube has no digits left.
    "normal-cdf": Entry(
        NormalCDF(),
        LOSS_FREE | {"X": np.random.default_rng(0).normal(size=(900, 2))},
    ),
    "bounded-none": Entry(BoundedSupport(), LOSS_FREE),
    # As a density this is the uniform one, far too wide for normal data.
    "bounded": Entry(
        BoundedSupport(-1000.0, 1000.0, out_of_bounds="clip"),
        {
            "max_normal_loss": 7.0,
        },
    ),
    "dequantizer-continuous": Entry(Dequantizer(), LOSS_FREE),
    "dequantizer-lattice": Entry(
        Dequantizer(),
        {
            "X": np.round(np.random.default_rng(0).normal(size=(900, 2))),
            "max_normal_loss": 1e-10,
        },
    ),
    "blocks": Entry(BlockGaussianizer(), TINY_LOSS),
    # linear
    "whitening-pca": Entry(Whitening(), TINY_LOSS),
    "whitening-zca": Entry(Whitening(method="zca"), TINY_LOSS),
    "whitening-cholesky": Entry(Whitening(method="cholesky", shrinkage=0.1), TINY_LOSS),
    "random-rotation": Entry(RandomRotation(), LOSS_FREE),
    "pca-rotation": Entry(PCARotation(), LOSS_FREE),
    "sliced-rotation": Entry(SlicedRotation(), LOSS_FREE),
    "sliced-rotation-negentropy": Entry(
        SlicedRotation(1, criterion="negentropy", max_samples=100), LOSS_FREE
    ),
    "whitening-estimator": Entry(
        Whitening(covariance_estimator=LedoitWolf()), TINY_LOSS
    ),
    "fixed-rotation": Entry(FixedRotation(), LOSS_FREE),
    "ica-whitening": Entry(ICAWhitening(), TINY_LOSS, ROUNDING_MAGNIFIED),
    "standardize": Entry(Standardize(), TINY_LOSS),
    "standardize-robust": Entry(Standardize(robust=True), TINY_LOSS),
    # mixture
    "mixture": Entry(GaussianMixtureDestructor(), TINY_LOSS),
    "mixture-full": Entry(GaussianMixtureDestructor(4), SMALL_LOSS),
    "mixture-as-it-comes": Entry(GaussianMixtureDestructor(4, order=None), SMALL_LOSS),
    "mixture-folds": Entry(GaussianMixtureDestructor(2, n_folds=3), SMALL_LOSS),
    "mixture-plain": Entry(
        GaussianMixtureDestructor(3, background=False, degrees_of_freedom_prior=0.0),
        SMALL_LOSS,
    ),
    "mixture-tied": Entry(
        GaussianMixtureDestructor(3, covariance_type="tied"), SMALL_LOSS
    ),
    "mixture-diag": Entry(
        GaussianMixtureDestructor([2, 4, 8], covariance_type="diag"), SMALL_LOSS
    ),
    "mixture-spherical": Entry(
        GaussianMixtureDestructor(4, covariance_type="spherical"), SMALL_LOSS
    ),
    "mixture-boosted": Entry(BoostedMixtureDestructor(), TINY_LOSS),
    "mixture-boosted-steps": Entry(
        BoostedMixtureDestructor(2), SMALL_LOSS | {"X": steps()}
    ),
    "mixture-boosted-folds": Entry(BoostedMixtureDestructor(4, n_folds=3), SMALL_LOSS),
    # autoregressive
    "autoregressive": Entry(
        AutoregressiveDestructor(Whitening(), order="random"), TINY_LOSS
    ),
    "autoregressive-tree": Entry(
        AutoregressiveDestructor(TreeDestructor(max_leaf_nodes=8)), TINY_LOSS
    ),
    "regression": Entry(RegressionDestructor(), TINY_LOSS),
    "regression-ridge": Entry(
        RegressionDestructor(Ridge(), min_r2=-1.0, order="auto"), TINY_LOSS
    ),
    "regression-heteroscedastic": Entry(
        RegressionDestructor(min_r2=-1.0, heteroscedastic=True), ANY_LOSS
    ),
    # tree
    "tree": Entry(TreeDestructor(), TINY_LOSS),
    "tree-random": Entry(
        TreeDestructor(splitter="random", max_features="sqrt", max_leaf_nodes=30),
        TINY_LOSS,
    ),
    "tree-look-ahead": Entry(
        TreeDestructor(splitter="look-ahead", min_samples_leaf=0), TINY_LOSS
    ),
    "boosted-trees": Entry(BoostedTreeDestructor(max_iter=20), TINY_LOSS),
    "boosted-trees-cv": Entry(BoostedTreeDestructor(max_iter=20, cv=3), TINY_LOSS),
    "boosted-trees-subsample": Entry(
        BoostedTreeDestructor(max_iter=20, subsample=0.6, max_features=0.5), TINY_LOSS
    ),
    # discrete
    "permutation": Entry(TreePermutation()),
    "permutation-chow-liu": Entry(TreePermutation(base="chow-liu")),
    "permutation-random": Entry(TreePermutation(splitter="random", max_samples=0.7)),
    "categorical-base": Entry(CategoricalBase()),
    "chow-liu-tree": Entry(CategoricalBase(structure="chow-liu", alpha=1.0)),
    "hidden-tree": Entry(CategoricalBase(structure="hidden-tree")),
    # image: patches with one fit for all are in "patch-flow"
    "feature-groups": Entry(
        FeatureGroups(TreeDestructor(max_leaf_nodes=8), ImageFeaturePairs()), TINY_LOSS
    ),
    "pixel-mixture": Entry(
        PixelMixtureDestructor(n_components=2, n_bins=32), {"max_normal_loss": 0.1}
    ),
    "pixel-tree": Entry(PixelTreeDestructor(n_bins=32), {"max_normal_loss": 0.1}),
    "haar-pyramid": Entry(HaarPyramid(), LOSS_FREE),
    # compose
    "pipeline": Entry(
        DestructorPipeline(
            [("marginal", SplineGaussianizer()), ("whiten", Whitening())]
        ),
        TINY_LOSS,
    ),
    "columns": Entry(
        ColumnDestructor([("first", SplineGaussianizer(), [0])], Standardize()),
        TINY_LOSS,
    ),
    "categories-none": Entry(CategoryDequantizer(), LOSS_FREE),
    "categories": Entry(
        CategoryDequantizer(columns=[0, 1]),
        {
            # Categories alone: a number beside them is of another measure.
            "X": np.minimum(np.random.default_rng(0).geometric(0.5, (900, 2)), 5),
        },
    ),
    "standard-scaler": Entry(TransformerDestructor(StandardScaler()), TINY_LOSS),
    "min-max-scaler": Entry(TransformerDestructor(MinMaxScaler()), ANY_LOSS),
    "max-abs-scaler": Entry(TransformerDestructor(MaxAbsScaler()), ANY_LOSS),
    "robust-scaler": Entry(TransformerDestructor(RobustScaler()), ANY_LOSS),
    "pca": Entry(TransformerDestructor(PCA()), TINY_LOSS, FULL_RANK),
    "pca-whiten": Entry(TransformerDestructor(PCA(whiten=True)), TINY_LOSS, FULL_RANK),
    "power-transformer": Entry(
        TransformerDestructor(PowerTransformer()), TINY_LOSS, SEARCHED
    ),
    "quantile-transformer": Entry(
        TransformerDestructor(
            QuantileTransformer(n_quantiles=5, output_distribution="normal")
        ),
        ANY_LOSS,
    ),
    "quantile-transformer-uniform": Entry(
        TransformerDestructor(QuantileTransformer(n_quantiles=5)), ANY_LOSS
    ),
    "function-transformer": Entry(
        TransformerDestructor(FunctionTransformer()), LOSS_FREE
    ),
    "sliced": Entry(SlicedGaussianizer(), TINY_LOSS),
    "sliced-one": Entry(
        SlicedGaussianizer(1, p=1.5, learning_rate=1.0, max_samples=200, n_knots=8),
        TINY_LOSS,
    ),
    "radial": Entry(RadialGaussianizer(), TINY_LOSS),
    "radial-spline": Entry(
        RadialGaussianizer(
            SplineGaussianizer(), whitening=Standardize(), n_refinements=2
        ),
        TINY_LOSS,
    ),
    "incremental": Entry(
        IncrementalDestructor(
            [
                ("marginal", SplineGaussianizer()),
                ("whitening", Whitening(method="zca", shrinkage=0.0)),
                ("rotation", RandomRotation()),
                ("marginal2", SplineGaussianizer()),
            ]
        ),
        TINY_LOSS,
    ),
    "iterative": Entry(IterativeDestructor(max_iter=3), TINY_LOSS),
    "iterative-portfolio": Entry(
        IterativeDestructor(portfolio(), max_iter=3), TINY_LOSS
    ),
    "iterative-cycle": Entry(
        IterativeDestructor(portfolio(), selection="cycle", max_iter=3), TINY_LOSS
    ),
    "iterative-cv": Entry(IterativeDestructor(cv=3, max_iter=3), TINY_LOSS),
    # flows
    "tree-flow": Entry(
        TreeFlow(n_components=[1, 2, 4], max_trees=20, cv=None),
        TINY_LOSS,
    ),
    "tree-flow-cv": Entry(
        TreeFlow(n_components=[1, 2, 4], max_trees=5, cv=3), SMALL_LOSS
    ),
    "tree-flow-mixed": Entry(
        TreeFlow(
            categorical_features=[0],
            marginal=None,
            n_components=[1, 2],
            max_trees=5,
            cv=None,
        ),
        {"X": mixed_rows()},
        {"check_estimators_nan_inf": "what is missing in column 0 is a category"},
    ),
    "auto": Entry(AutoDestructor(max_iter=2, cv=None), TINY_LOSS),
    "discrete-tree-flow": Entry(DiscreteTreeFlow(), {}, NOTHING_GAINED),
    "discrete-tree-flow-cv": Entry(
        DiscreteTreeFlow(max_depth=[2, 4], cv=3, handle_missing="category"),
        {},
        NOTHING_GAINED,
    ),
    "discrete-tree-flow-random": Entry(
        DiscreteTreeFlow(
            splitter="random", base="independent", handle_unknown="error", max_iter=3
        )
    ),
    "gaussian-copula": Entry(GaussianCopula(), TINY_LOSS),
    "deep-copula": Entry(DeepCopula(marginal=Standardize(), max_iter=2), TINY_LOSS),
    "image-pairs-copula": Entry(
        ImagePairsCopula(marginal=Standardize(), layer=Whitening(), max_iter=2),
        TINY_LOSS,
    ),
    "image-pairs-tree": Entry(
        ImagePairsTree(
            marginal=Standardize(), layer=TreeDestructor(max_leaf_nodes=8), max_iter=2
        ),
        TINY_LOSS,
    ),
    "patch-flow": Entry(
        PatchFlow(marginal=Standardize(), layer=Whitening(), max_iter=2), TINY_LOSS
    ),
    "random-linear-flow": Entry(RandomLinearFlow(max_iter=2), TINY_LOSS),
    "random-tree-flow": Entry(RandomTreeFlow(max_iter=2), TINY_LOSS),
    "sliced-flow": Entry(SlicedGaussianization(max_iter=4), TINY_LOSS),
    "sliced-flow-cv": Entry(
        SlicedGaussianization(
            SlicedGaussianizer(criterion="negentropy"), max_iter=3, cv=3
        ),
        TINY_LOSS,
    ),
    # estimators
    "mixture-density": Entry(
        MixtureDensity([1, 2], marginal=SplineGaussianizer(n_knots=8)), TINY_LOSS
    ),
    "rbig": Entry(RBIG(max_iter=3), TINY_LOSS),
    "rbig-random": Entry(RBIG(rotation="random", max_iter=3), TINY_LOSS),
    "rbig-total-correlation": Entry(
        RBIG(stopping="total_correlation", max_iter=3), TINY_LOSS
    ),
}

# Maps that depend on a domain: the density of each domain keeps the law, and labels are
# given to scikit-learn's checks.
NULL_SPACE = {
    "check_sample_weight_equivalence_on_dense_data": (
        "fewer rows than features: rounding noise where a domain does not vary"
    )
}
ONE_DISTRIBUTION = {
    "check_sample_weight_equivalence_on_dense_data": "cv takes a number of folds only",
    "check_transformer_n_iter": "labels by hash make equal domains: no layer is right",
}
ALIGNMENT: dict[str, tuple[Any, Entry]] = {
    name: (from_rows, Entry(domains.OneDomain(from_rows), SMALL_LOSS, failures))
    for name, from_rows, failures in [
        ("marginal-barycenter", domains.MarginalFromRows(), {}),
        ("sliced-barycenter", domains.SlicedFromRows(), {}),
        ("gaussian-barycenter", domains.GaussianFromRows(), NULL_SPACE),
        ("tree-barycenter", domains.TreeFromRows(), {}),
        (
            "alignment-flow",
            domains.FlowFromRows(max_iter=4, cv=None),
            ONE_DISTRIBUTION,
        ),
    ]
}
_BY_DESTRUCTOR = {id(entry.destructor): entry for entry in REGISTRY.values()}


def entry_of(destructor: Destructor) -> Entry:
    """Give the entry that holds this very object."""
    return _BY_DESTRUCTOR[id(destructor)]
