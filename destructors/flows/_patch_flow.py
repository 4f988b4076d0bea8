"""Patches of pixels that slide from layer to layer, one fit for all."""

import numpy as np

from destructors.base import Destructor
from destructors.flows._named import ImageFlow
from destructors.image import FeatureGroups, ImagePatches
from destructors.maps import Map
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold, StoredRows

# Rows and columns of a patch.
_PATCH = (4, 4)
# A number that leaves each component many patches even of few images.
_N_COMPONENTS = 8


class PatchFlow(ImageFlow):
    """Patches of pixels that slide from layer to layer, one fit for all.

    Pixels are mapped to N(0, 1), each by itself or given those before it. Each further
    layer parts images into patches, moved by half a patch from layer to layer so that
    all come to see across the borders, and fits one mixture of normals to the patches
    of all places.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        ``(height, width)`` or ``(height, width, n_channels)``, channels last. None
        takes a row for a line of pixels.
    marginal : Destructor, default=None
        The first layer. None stands for `SplineGaussianizer`. For pixels of 256
        levels with uniform noise in [0, 1] take
        ``PixelTreeDestructor(image_shape, bounds=(0, 1))``, which gains most.
    layer : Destructor, default=None
        What is fitted to patches. None stands for a `GaussianMixtureDestructor` of
        eight components.
    max_iter : int, default=40
        Largest number of layers.
    max_time : float, default=None
        Seconds after which the fit ends with what there is, within one step of what is
        being fitted. With None the result depends on nothing but data and seed.
    early_stopping : bool, default=True
        Whether to hold out rows, to stop by them and to cut back. Otherwise all rows
        are trained on and there are ``max_iter`` layers.
    validation_fraction : float, default=0.1
        Share of the rows to hold out. Equal rows always go to the same part.
    n_iter_no_change : int, default=4
        Number of layers without improvement after which to stop.
    tol : float, default=1e-3
        Rise of the mean held-out log density that counts as improvement, in nats.
    cv : int, cross-validation generator or iterable, default=None
        If given, the depth is chosen by the mean held-out score over the folds; then
        the layers are fitted on all rows.
        None holds out one part, or makes folds where one row would be more than a
        tenth of that: no value is left out.
    warm_start : bool, default=False
        Whether `fit` goes on from the layers that are there.
    n_jobs : int, default=None
        Number of threads. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out and of the layers.
    verbose : int, default=0
        Whether to print a line for each layer.

    Attributes
    ----------
    layers_ : list of Destructor
        The fitted layers.
    layer_names_ : list of str
        "start" of the first, the offset of the patches of others.
    n_iter_ : int
        Number of layers.
    train_score_ : ndarray of shape (``n_iter_ + 1``,)
        Mean log density of the training rows after each layer, in nats; index 0 is
        that of the untransformed rows.
    validation_score_ : ndarray of shape (``n_iter_ + 1``,)
        The same for the held-out rows; empty without any.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    DeepCopula : A copula of all pixels.
    destructors.image.PixelTreeDestructor : Each pixel given those before it.

    References
    ----------
    Inouye and Ravikumar, *Deep density destructors*, ICML 2018, section 3, for
    destructors of groups of pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import PatchFlow
    >>> X = np.random.default_rng(0).normal(size=(300, 12)).cumsum(axis=1)
    >>> model = PatchFlow((3, 4), random_state=0).fit(X)
    >>> model.sample(2, random_state=0).shape
    (2, 12)
    """

    def _make_layer(self) -> Destructor:
        return _Mixture(_N_COMPONENTS)

    def _named_candidates(self) -> list[tuple[str, Destructor]]:
        start, (_, learner) = super()._named_candidates()
        layers = [
            (
                f"patches {down} {right}",
                FeatureGroups(
                    learner,
                    ImagePatches(
                        self.image_shape,
                        patch_shape=_PATCH,
                        offset=(down, right),
                        wrap=False,
                    ),
                    shared=True,
                    n_jobs=self.n_jobs,
                ),
            )
            for down, right in ((0, 0), (2, 2), (0, 2), (2, 0))
        ]
        return [start, *layers]


class _Mixture(GaussianMixtureDestructor):
    """A mixture of so many components, or as many as rows differ if these are fewer."""

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        if not isinstance(fold.train, StoredRows):
            n_different = len(fold.train.unique()[0])
            self.n_components = min(_N_COMPONENTS, n_different)
        return super()._fit(fold, random_state)
