"""
A fair representation
=====================

Features that carry a protected attribute hand it on to every model trained on them.
Mapped so that the groups have one distribution, they hardly do: whatever a model makes
of them, it can hardly tell the groups apart. How much of the task is left depends on
how far one goes, which the learning rate of a layer decides.
"""

# %%
# Data with a protected attribute
# -------------------------------
# Six features say something about a skill; their location, their scale and a dependence
# between them also tell the group. Past decisions, the labels, favoured one group.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from destructors.alignment import GaussianBarycenter, TreeBarycenter
from destructors.flows import AlignmentFlow

rng = np.random.default_rng(0)
n_samples = 6000
group = rng.integers(2, size=n_samples)
skill = rng.normal(size=n_samples)
X = skill[:, None] * [1.0, 0.8, 0.6, 0.3, 0.0, 0.0] + rng.normal(size=(n_samples, 6))
X[:, 0] += 0.8 * group
X[:, 4] += np.where(group == 1, 0.8, -0.8) * (X[:, 5] ** 2 - 1.0)
X[:, 3] *= 1.0 + 0.5 * group
y = (skill + 0.3 * group + 0.3 * rng.normal(size=n_samples) > 0).astype(int)
X_train, X_test, y_train, y_test, group_train, group_test = train_test_split(
    X, y, group, test_size=0.5, random_state=0
)


def probe(Z_train, Z_test):
    """Area under the curve: of the group, and of the task."""
    areas = []
    for train, test in ((group_train, group_test), (y_train, y_test)):
        model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
        chance = model.fit(Z_train, train).predict_proba(Z_test)[:, 1]
        areas.append(roc_auc_score(test, chance))
    return areas


# %%
# From the data to one distribution
# ---------------------------------
# A learning rate of 0 leaves the rows where they are, 1 goes all the way. One Gaussian
# layer evens out means and covariances, one layer of trees what features depend on by
# pairs, and a flow goes on until held-out rows of the groups no longer differ.

rates = [0.0, 0.25, 0.5, 0.75, 1.0]
curves = {}
for name, layer in (
    ("Gaussian layer", GaussianBarycenter()),
    ("tree layer", TreeBarycenter()),
):
    curves[name] = []
    for rate in rates:
        layer.set_params(learning_rate=rate)
        Z_train = layer.fit_transform(X_train, sample_domain=group_train)
        Z_test = layer.transform(X_test, sample_domain=group_test)
        curves[name].append(probe(Z_train, Z_test))
flow = AlignmentFlow(random_state=0)
Z_train = flow.fit_transform(X_train, sample_domain=group_train)
Z_test = flow.transform(X_test, sample_domain=group_test)
complete = probe(Z_train, Z_test)
print("area under the curve      group   task")
for name, curve in curves.items():
    for rate, (of_group, of_task) in zip(rates, curve, strict=True):
        print(f"{name:14} {rate:9.2f}  {of_group:6.3f}  {of_task:5.3f}")
print(f"flow of {flow.n_iter_:2} layers{'':9} {complete[0]:6.3f}  {complete[1]:5.3f}")

# %%
# Privacy against use
# -------------------
# To the left a model can hardly tell the groups apart any more, and what it still knows
# of the task does not come from the group.

fig, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for name, curve in curves.items():
    axis.plot(*np.transpose(curve), "o-", label=f"{name}, by learning rate")
for rate, place in zip(rates, curves["tree layer"], strict=True):
    axis.annotate(f"{rate:g}", place, (-4, -14), textcoords="offset points")
axis.plot(*complete, "s", color="tab:red", label="alignment flow")
axis.axvline(0.5, color="0.7", linewidth=1)
axis.set(
    xlabel="predictability of the group (AUC)",
    ylabel="predictability of the task (AUC)",
    ylim=(0.8, 0.9),
)
axis.legend(frameon=False, loc="lower right")

# %%
# Nothing is lost for good: with the group at hand, a row comes back.

back = flow.inverse_transform(Z_test, sample_domain=group_test)
print(f"round trip: {np.abs(back - X_test).max():.0e}")
plt.show()
