"""
What of that column, given these?
=================================

A regression gives one number. A conditional density gives bands that hold what they
say, and they are as wide as the data are there.
"""

# %%
# Diabetes and body mass
# ----------------------
# How the disease of 442 patients went on for a year, given their body mass index.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from destructors.estimators import ConditionalDensity

patients = load_diabetes(as_frame=True, scaled=False)
X, y = patients.data[["bmi"]], patients.target
model = ConditionalDensity(random_state=0).fit(X, y)
print(model.layer_names_[0])

# %%
# Bands
# -----
# Half of the patients lie in the dark band, nine tenths in both.

grid = np.linspace(*np.quantile(X["bmi"], [0.01, 0.99]), 200)
rows = X.iloc[[0]].loc[[0] * len(grid)].assign(bmi=grid)
levels = [0.05, 0.25, 0.5, 0.75, 0.95]
bands = model.predict_quantile(rows, levels).T

fig, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
axis.fill_between(grid, bands[0], bands[4], color="#4477aa", alpha=0.2, lw=0)
axis.fill_between(grid, bands[1], bands[3], color="#4477aa", alpha=0.35, lw=0)
axis.plot(grid, bands[2], color="#4477aa")
axis.scatter(X["bmi"], y, s=6, color="#22313f", linewidths=0, alpha=0.6)
axis.set(xlabel="body mass index", ylabel="progress of the disease", xlim=grid[[0, -1]])

# %%
# Whole densities
# ---------------

at = np.linspace(0.0, 400.0, 400)
fig, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for bmi, color in [(20.0, "#4477aa"), (26.0, "#228833"), (34.0, "#ee6677")]:
    given = rows.iloc[[0]].loc[[0] * len(at)].assign(bmi=bmi)
    axis.plot(at, np.exp(model.score_samples(given, at)), color=color, label=f"{bmi:g}")
axis.set(xlabel="progress of the disease", ylabel="density", ylim=(0, None))
axis.legend(title="body mass index", frameon=False)
plt.show()
