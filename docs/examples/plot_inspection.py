"""
Looking at a model
==================

What has a density learned, what have its layers done, when did it stop and why, and are
its samples like the data? One display answers each question. All have the form of
scikit-learn's: ``from_estimator`` draws on axes of one's own (``ax=...``) or on new
ones, and what was drawn is in the attributes.
"""

# %%
# A model to look at
# ------------------
# A bent column, a skewed one, and one that depends on both.

import matplotlib.pyplot as plt
import numpy as np

from destructors.datasets import make_pinwheel
from destructors.flows import RBIG, AlignmentFlow, TreeFlow
from destructors.inspection import (
    AlignmentDisplay,
    DensityDisplay,
    DestructionDisplay,
    LatentDisplay,
    LikelihoodDisplay,
    PairDisplay,
)


def draw(n_samples, random_state):
    rng = np.random.default_rng(random_state)
    x = rng.normal(size=n_samples)
    bent = np.sin(2.0 * x) + 0.3 * rng.normal(size=n_samples)
    skewed = rng.gamma(2.0, size=n_samples)
    return np.c_[x, bent, skewed, skewed * np.exp(0.3 * x)]


X, X_new = draw(3000, 0), draw(3000, 1)
model = TreeFlow(random_state=0).fit(X)

# %%
# The density
# -----------
# Of many columns, the marginals; the grey histogram is that of the data.

DensityDisplay.from_estimator(model, X_new)

# %%
# Pairs are drawn as maps. A slice holds the other columns at their medians.

DensityDisplay.from_estimator(model, X_new, features=[(0, 1), (2, 3)])

# %%
# Samples
# -------
# Real rows below the diagonal, samples above it, mirrored. Where the model is right,
# the picture is symmetric.

PairDisplay.from_estimator(model, X_new)

# %%
# How it grew
# -----------
# A flow has a panel for its layers, and one for the trees of the last. The dotted line
# is where growing stopped.

LikelihoodDisplay.from_estimator(model)

# %%
# What is left
# ------------
# If the model were true, latent rows would be standard normal: quantiles inside the
# grey band, and no correlation, neither of columns nor of their squares.

LatentDisplay.from_estimator(model, X_new)

# %%
# From data to noise and back
# ---------------------------
# Each row keeps its colour on its way. Below, noise becomes data.

pinwheel = make_pinwheel(4000, random_state=0)
flow = RBIG(rotation="random", max_iter=60, random_state=0).fit(pinwheel)
DestructionDisplay.from_estimator(flow, pinwheel, n_stages=5)

# %%
# Domains
# -------
# An alignment has no density; it has a before, an after, and a divergence that falls.

arms = make_pinwheel(1500, n_arms=3, random_state=1)
both = np.vstack([np.add(pinwheel[:1500], [2.0, 0.0]), arms])
domain = np.repeat(["five arms", "three arms"], 1500)
alignment = AlignmentFlow(random_state=0).fit(both, sample_domain=domain)
AlignmentDisplay.from_estimator(alignment, both, sample_domain=domain)
plt.show()
