"""
Destroying a density, layer by layer
====================================

A stack of simple maps takes a structured density to a standard normal one. This example
grows one on two interleaved spirals, and looks at the latent rows, the held-out curve,
the learned density and its samples.
"""

# %%
# Two spirals
# -----------
# Rows lie about two arms; the arm gives each its colour below, but the model does not
# see it.

import matplotlib.pyplot as plt
import numpy as np

from destructors.flows import RBIG


def make_spirals(n_samples, random_state):
    rng = np.random.default_rng(random_state)
    arm = rng.integers(2, size=n_samples)
    angle = 3 * np.pi * np.sqrt(rng.uniform(0.05, 1, size=n_samples))
    spiral = np.c_[np.cos(angle), np.sin(angle)] * angle[:, None]
    spiral *= np.where(arm == 0, 1, -1)[:, None]
    return 0.3 * (spiral + 0.4 * rng.normal(size=(n_samples, 2))), arm


X_train, _ = make_spirals(20_000, random_state=0)
X_test, arm = make_spirals(4_000, random_state=1)

# %%
# Grow the stack
# --------------
# Each layer maps both features to N(0, 1) and then rotates. The stack holds out a tenth
# of the rows, grows while their log density does, and is cut back to its best prefix.

model = RBIG(rotation="random", max_iter=100, random_state=0).fit(X_train)
print(f"{model.n_iter_} layers, {model.score(X_test):.2f} nats on new rows")

# %%
# From data to noise
# ------------------
# ``model[:k]`` is the map of the first ``k`` layers. Shown are new rows, which no layer
# was fitted on. After one layer both features are normal by themselves, but not
# together; every further layer looks from another side.

depths = [0, 1, 3, 6, 15, model.n_iter_]
fig, axes = plt.subplots(2, 3, figsize=(9, 6.2), layout="constrained")
for axis, depth in zip(axes.flat, depths, strict=True):
    Z = model[:depth].transform(X_test) if depth else X_test
    axis.scatter(*Z.T, c=np.where(arm == 0, "tab:blue", "tab:orange"), s=2, alpha=0.5)
    axis.set(title=f"{depth} layer" + "s" * (depth != 1), aspect="equal")
    axis.set(xlim=(-4, 4), ylim=(-4, 4), xticks=[], yticks=[])

# %%
# The held-out curve
# ------------------
# The gap between the curves is what the model learns about its training rows that is
# not true of others. Stopping looks at the held-out curve alone.

fig, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
axis.plot(model.train_score_, label="training rows")
axis.plot(model.validation_score_, label="held-out rows")
axis.set(xlabel="layers", ylabel="mean log density (nats)")
axis.legend(frameon=False)

# %%
# The density, and samples of it
# ------------------------------
# The change of variables gives the density at any point, and the inverse turns normal
# noise into rows that were never there.

side = np.linspace(-3.5, 3.5, 300)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
log_density = model.score_samples(grid).reshape(300, 300)
samples = model.sample(4_000, random_state=0)

fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
image = axes[0].pcolormesh(side, side, log_density, vmin=-8, cmap="magma")
fig.colorbar(image, ax=axes[0], label="log density (nats)", extend="min")
axes[0].set(title="learned log density", aspect="equal")
axes[1].scatter(*samples.T, s=2, alpha=0.5, color="tab:purple")
axes[1].set(title="samples", aspect="equal", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))

# %%
# A density must integrate to one. Over this square it does so up to what lies outside:

cell = (side[1] - side[0]) ** 2
print(f"integral: {np.exp(log_density).sum() * cell:.3f}")
plt.show()
