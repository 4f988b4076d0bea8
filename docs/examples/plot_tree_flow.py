"""
Boxes upon boxes: density trees
===============================

One density tree cuts the plane into boxes. Hundreds of trees, each with a small step,
cut it so often that the boxes melt into a smooth density. This example looks at both.
"""

# %%
# Two spirals and a bystander
# ---------------------------
# The first two features lie on spirals; the third is noise that has nothing to do with
# them.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from destructors.datasets import make_spirals
from destructors.tree import BoostedTreeDestructor, TreeDestructor


def make_rows(n_samples, random_state):
    rng = np.random.default_rng(random_state)
    X = make_spirals(n_samples, random_state=random_state)
    return np.c_[X / X.std(axis=0), rng.normal(size=n_samples)]


X_train, X_val, X_test = (make_rows(n, i) for i, n in enumerate([20_000, 5_000, 5_000]))
plane = X_train[:, :2]

# %%
# One tree
# --------
# ``get_boxes`` gives the boxes in units of the data. Within a box the density is the
# normal one times a constant: the probability of the box over its volume.

tree = TreeDestructor().fit(plane)
boxes, probabilities = tree.get_boxes()
print(f"{tree.n_leaves_} boxes, {tree.score(X_test[:, :2]):.3f} nats on new rows")

side = np.linspace(-2.6, 2.6, 300)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def draw(axis, log_density, title):
    density = np.exp(log_density).reshape(300, 300)
    axis.pcolormesh(side, side, density, cmap="YlGnBu", vmin=0, vmax=0.25)
    axis.set(title=title, xticks=[], yticks=[], aspect="equal")


fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
draw(axes[0], tree.score_samples(grid), "density of one tree")
axes[1].scatter(*plane[:4000].T, s=2, linewidths=0, color="tab:blue", alpha=0.6)
for low, high in np.clip(boxes, -4, 4):
    axes[1].add_patch(
        Rectangle(low, *(high - low), fill=False, edgecolor="0.3", linewidth=0.6)
    )
axes[1].set(title="its boxes", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
axes[1].set(xticks=[], yticks=[])

# %%
# Many trees
# ----------
# Each further tree is grown on the rows as the trees before have moved them. They stop
# when the held-out rows have gained nothing for a while.

model = BoostedTreeDestructor(random_state=0).fit(plane, X_val=X_val[:, :2])
print(f"{model.n_iter_} trees, {model.score(X_test[:, :2]):.3f} nats on new rows")

# %%
# ``staged_score_samples`` goes through the densities after 1, 2, … trees.

shown = [1, 10, 100, model.n_iter_]
fig, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
stages = dict(enumerate(model.staged_score_samples(grid), start=1))
for axis, n in zip(axes, shown, strict=True):
    draw(axis, stages[n], f"{n} tree" + "s" * (n > 1))

# %%
# The training rows gain to the end, the held-out rows do not: the gap is what the trees
# know by heart.

fig, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
axis.plot(model.train_score_, label="training rows")
axis.plot(model.validation_score_, label="held-out rows")
axis.set(xlabel="trees", ylabel="gain over a normal density (nats)")
axis.legend(frameon=False)

# %%
# Which features matter
# ---------------------
# ``feature_importances_`` shares out the training gain, in nats per row, among the
# features that were cut. The little that the bystander gets is what the trees take from
# chance; held-out rows gain nothing by it.

names = ["spiral, across", "spiral, up", "bystander"]
model = BoostedTreeDestructor(random_state=0).fit(X_train, X_val=X_val)
fig, axis = plt.subplots(figsize=(6, 2.2), layout="constrained")
axis.barh(names, model.feature_importances_, color="tab:blue", height=0.6)
axis.invert_yaxis()
axis.set(xlabel="gain by cuts of this feature (nats)")
axis.spines[["top", "right"]].set_visible(False)

# %%
# Samples
# -------
# The inverse map turns noise into new rows.

samples = model.sample(4_000, random_state=0)
fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
for axis, rows, title in zip(
    axes, (X_test[:4000], samples), ("new rows", "samples"), strict=True
):
    axis.scatter(*rows[:, :2].T, s=2, linewidths=0, alpha=0.6, color="tab:purple")
    axis.set(title=title, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
    axis.set(xticks=[], yticks=[])
plt.show()
