"""
Digits: a density of images, layer by layer
===========================================

A density of the handwritten digits that scikit-learn bundles, 8 × 8 pixels of 17
levels. Each layer is fitted on what the layers before have left, and never touched
again; what it brings is counted in bits per pixel. Then we look at what the density
knows: images that it draws, and the lower half of digits, given the upper one.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from destructors.autoregressive import AutoregressiveDestructor
from destructors.compose import make_destructor_pipeline
from destructors.flows import DeepCopula, GaussianCopula
from destructors.image import PixelMixtureDestructor
from destructors.marginal import HistogramGaussianizer
from destructors.metrics import bits_per_dim
from destructors.mixture import GaussianMixtureDestructor

# %%
# Pixels have 17 levels. Uniform noise makes numbers of them, and then each level is one
# bin of a histogram on [0, 1]: the first layer knows how often a pixel has each level,
# and nothing else.

rng = np.random.default_rng(0)
levels = load_digits().data[rng.permutation(1797)]
X = (levels + rng.uniform(size=levels.shape)) / 17
X_train, X_val, X_test = X[:1200], X[1200:1500], X[1500:]
pixels = HistogramGaussianizer(n_bins=17, strategy="uniform", bounds=(0, 1), alpha=0.1)

# %%
# Layer by layer
# --------------
# A deep copula whitens the pixels, maps each to N(0, 1), turns neighbours to their sums
# and differences, maps these, and so on, as long as held-out images gain.

flow = DeepCopula((8, 8), marginal=pixels, random_state=0)
flow.fit(X_train, X_val=X_val)


def bits(log_density):
    return bits_per_dim(np.mean(log_density), 64, n_levels=17)


scores = [flow.base_distribution_.logpdf(X_test), *flow.staged_score_samples(X_test)]
for name, score in zip(["nothing", *flow.layer_names_], scores, strict=True):
    print(f"{name:8} {bits(score):.3f} bits per pixel")

# %%
# A mixture knows that there are several digits. Wrapped so that pixels are mapped one
# after the other, from the top left to the bottom right, it can also complete images.

mixture = make_destructor_pipeline(
    pixels, GaussianMixtureDestructor([8, 16, 32], random_state=0)
)
model = AutoregressiveDestructor(mixture).fit(X_train, X_val=X_val)

# %%
# A tree of histograms tells each pixel from those before it, and, here, from the shape
# of one of sixteen kinds of images.

shapes = PixelMixtureDestructor(
    (8, 8), n_components=16, n_bins=17, bounds=(0, 1), min_samples_leaf=20, min_gain=20
).fit(X_train)
models = {
    "pixels": pixels.fit(X_train),
    "copula": GaussianCopula(pixels).fit(X_train),
    "deep copula": flow,
    "mixture": model,
    "pixel mixture": shapes,
}
lengths = [bits(each.score_samples(X_test)) for each in models.values()]
fig, axis = plt.subplots(figsize=(6, 2.4), layout="constrained")
bars = axis.barh(list(models), lengths, color="tab:blue", height=0.6)
axis.bar_label(bars, fmt="%.2f", padding=3)
axis.invert_yaxis()
axis.set(xlabel="bits per pixel of new images (uniform: 4.09)", xlim=(0, 4))
axis.spines[["top", "right"]].set_visible(False)

# %%
# Samples
# -------
# Normal noise, mapped back. The first two rows are real.


def draw(axis, rows, title):
    grid = np.block([list(row) for row in rows.reshape(-1, 12, 8, 8)])
    axis.imshow(grid, cmap="gray_r", vmin=0, vmax=1)
    for place in range(0, 97, 8):
        axis.axvline(place - 0.5, color="white", linewidth=2)
    for place in range(0, len(grid) + 1, 8):
        axis.axhline(place - 0.5, color="white", linewidth=2)
    axis.set_title(title, loc="left", fontsize=10)
    axis.set_axis_off()


fig, axes = plt.subplots(4, 1, figsize=(8, 6.9), layout="constrained")
for axis, rows, title in (
    (axes[0], X_test[:24], "new images"),
    (axes[1], flow.sample(24, random_state=0), "drawn from the deep copula"),
    (axes[2], model.sample(24, random_state=0), "drawn from the mixture"),
    (axes[3], shapes.sample(24, random_state=0), "drawn from the pixel mixture"),
):
    draw(axis, rows, title)

# %%
# Half a digit
# ------------
# The latent of a pixel depends on the pixels before it alone. So we map images, draw
# the latents of the lower half anew, and map back: the upper half stays what it was.

upper = np.repeat(X_test[:4], 11, axis=0)
Z = model.transform(upper)
Z[:, 32:] = rng.normal(size=(len(Z), 32))
completed = model.inverse_transform(Z).reshape(4, 11, 64)
rows = np.concatenate([X_test[:4, None], completed], axis=1)
fig, axis = plt.subplots(figsize=(8, 3), layout="constrained")
draw(axis, rows.reshape(-1, 64), "a digit, and eleven lower halves for its upper one")

# %%
# The odd one out
# ---------------
# Digits of low density are unusual ones; upside down nearly all are.

score = model.score_samples(X_test)
turned = model.score_samples(X_test[:, ::-1])
print(f"{np.mean(turned < score):.0%} score less upside down")
fig, axis = plt.subplots(figsize=(8, 1.6), layout="constrained")
order = np.argsort(score)
draw(axis, X_test[np.r_[order[:12], order[-12:]]], "least and most likely new images")
plt.show()
