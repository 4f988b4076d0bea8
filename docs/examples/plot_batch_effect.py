"""
Removing a batch effect before a classifier
===========================================

The same digits were scanned twice: the labelled ones by one device, those we want to
read by another, which blurs, tilts the brightness and has a contrast of its own. A
classifier trained on the first batch fails on the second. An alignment flow brings both
batches into one space, without a label of the second.
"""

# %%
# Two batches
# -----------
# Half of the rows of the second batch are there when the alignment is fitted; accuracy
# is measured on the other half, which no step has seen.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from destructors.alignment import MarginalBarycenter
from destructors.flows import AlignmentFlow


def scan(images):
    """What the second device makes of images."""
    blurred = gaussian_filter(images, (0.0, 0.7, 0.4))
    tilt = np.linspace(0.4, 1.1, 8)
    return 0.5 * np.sqrt(blurred * tilt) + 0.4 * tilt[:, None]


images, y = load_digits(return_X_y=True)
images = (images + np.random.default_rng(0).uniform(size=images.shape)) / 17.0
images = images.reshape(-1, 8, 8)
first, second, y_first, y_second = train_test_split(
    images, y, test_size=0.5, random_state=0
)
first, second = first.reshape(-1, 64), scan(second).reshape(-1, 64)
fitted, new, _, y_new = train_test_split(
    second, y_second, test_size=0.5, random_state=0
)

# %%
# Align and classify
# ------------------
# Labels of domains follow the convention of domain adaptation: sources are not
# negative, targets are. With ``domain_weights={1: 1.0}`` the first batch stays as it is
# and the second comes to it.

X = np.vstack([first, fitted])
domain = np.repeat([1, -2], [len(first), len(fitted)])


def accuracy(to_first):
    classifier = LogisticRegression(max_iter=1000).fit(first, y_first)
    return classifier.score(to_first, y_new)


results = {"as they are": accuracy(new)}
for name, alignment in [
    ("each pixel by itself", MarginalBarycenter(domain_weights={1: 1.0})),
    ("alignment flow", AlignmentFlow(domain_weights={1: 1.0}, random_state=0)),
]:
    alignment.fit(X, sample_domain=domain)
    results[name] = accuracy(alignment.transform(new, sample_domain=[-2] * len(new)))

# %%
# The linear and the entropic mapping of POT, if it is installed
# (``pip install destructors[transport]``), are fitted on the same rows.

try:
    import ot
except ImportError:
    print("POT is not installed: its mappings are left out.")
else:
    linear = ot.da.LinearTransport(reg=1e-3).fit(Xs=fitted, Xt=first)
    results["POT, linear"] = accuracy(linear.transform(Xs=new))
    entropic = ot.da.SinkhornTransport(reg_e=0.2, max_iter=5000).fit(
        Xs=fitted, Xt=first
    )
    results["POT, entropic"] = accuracy(entropic.transform(Xs=new))
for name, value in results.items():
    print(f"{name:22} {value:.3f}")

# %%
# What the digits look like
# -------------------------
# Digits of the second batch, and what they would have been in the first. The map is
# invertible: nothing of them is lost.

back = alignment.translate(new[:10], source=-2, target=1)
there = alignment.translate(back, source=1, target=-2)
print(f"round trip: {np.abs(there - new[:10]).max():.0e}")
fig, axes = plt.subplots(2, 10, figsize=(9, 2.1), layout="constrained")
for column, (before, after) in enumerate(zip(new, back, strict=False)):
    for axis, pixels in zip(axes[:, column], (before, after), strict=True):
        axis.imshow(pixels.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("scanned")
axes[1, 0].set_ylabel("aligned")

# %%
# How it came about
# -----------------
# The divergence between the batches before and after each layer, of held-out rows. One
# Gaussian layer does nearly all of it; the flow stops by itself where more layers would
# learn what is special of the training rows.

print(alignment.layer_names_, alignment.divergence_[1].round(4))
fig, axis = plt.subplots(figsize=(6, 2.5), layout="constrained")
bars = axis.barh(list(results)[::-1], list(results.values())[::-1])
axis.bar_label(bars, fmt="%.3f", padding=3)
axis.set(xlabel="accuracy on new rows of the second batch", xlim=(0, 1.1))
plt.show()
