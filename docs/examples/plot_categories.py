"""
Columns that share causes
=========================

64 columns of zeros and ones: handwritten digits of eight by eight pixels, dark or not.
A tree of pairs knows which pixel goes with which; hidden states know strokes.
"""

# %%
# Digits as categories
# --------------------
# Of 1,797 digits 1,500 are learned from.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from destructors.discrete import CategoricalBase

images = load_digits().data > 6
shuffled = np.random.default_rng(0).permutation(len(images))
train, test = images[shuffled[:1500]], images[shuffled[1500:]]
models = {
    name: CategoricalBase(structure=structure, random_state=0).fit(train)
    for name, structure in [
        ("independent columns", "independent"),
        ("Chow-Liu tree", "chow-liu"),
        ("hidden trees", "hidden-tree"),
    ]
}
for name, model in models.items():
    print(f"{name}: {model.score(test):.1f} nats")

# %%
# What each has learned
# ---------------------
# Draws of the three, below digits that none has seen.


def show(axis, rows):
    """Draw rows of 64 columns side by side."""
    picture = np.pad(
        np.reshape(rows, (-1, 8, 8)).astype(float), ((0, 0), (1, 1), (1, 1))
    )
    axis.imshow(np.hstack(list(picture)), cmap="Blues", vmin=0, vmax=1)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


fig, axes = plt.subplots(4, 1, figsize=(8, 3.4), layout="constrained")
show(axes[0], test[:14])
axes[0].set_title("digits", loc="left", fontsize=10)
for axis, (name, model) in zip(axes[1:], models.items(), strict=True):
    show(axis, model.sample(14, random_state=0))
    axis.set_title(f"{name}: {model.score(test):.1f} nats", loc="left", fontsize=10)

# %%
# The lower half, given the upper
# -------------------------------
# What is NaN is summed out, exactly: so the probability of each dark pixel below, given
# all those above, is a ratio of two probabilities.

base = models["hidden trees"].base_distribution_
upper = np.where(np.arange(64) < 32, test[:14].astype(float), np.nan)
given = base.logpdf(upper)
guessed = upper.copy()
for pixel in range(32, 64):
    dark = upper.copy()
    dark[:, pixel] = 1.0
    guessed[:, pixel] = np.exp(base.logpdf(dark) - given)

fig, axes = plt.subplots(2, 1, figsize=(8, 1.8), layout="constrained")
show(axes[0], test[:14])
axes[0].set_title("digits", loc="left", fontsize=10)
show(axes[1], guessed)
axes[1].set_title(
    "upper half given, lower half: probability that a pixel is dark",
    loc="left",
    fontsize=10,
)
plt.show()
