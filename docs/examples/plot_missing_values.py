"""
A table with categories and holes
=================================

Numbers, integers and a category of 442 patients, half of the entries gone. A mixture of
classes that all columns share learns from what is there, and tells what may have been.
"""

# %%
# Half a table
# ------------
# Age, sex, body mass index, blood pressure, a blood value, and how the disease went on
# for a year. Which entries are hidden is chance.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from destructors.estimators import DensityImputer, MixtureDensity

data = load_diabetes(as_frame=True, scaled=False)
patients = data.data[["age", "bmi", "bp", "s5"]].assign(progress=data.target)
patients["sex"] = pd.Categorical.from_codes(
    data.data["sex"].astype(int) - 1, ["a", "b"]
)
holed = patients.mask(np.random.default_rng(0).random(patients.shape) < 0.5)
print(holed.head(4).to_string())
model = MixtureDensity(random_state=0).fit(holed)

# %%
# What of the rest?
# -----------------
# Of a patient only the sex and the body mass index are known: 2,000 draws of the
# others, exactly from the conditional distribution.

asked = pd.DataFrame({"age": np.nan, "bmi": [21.0, 36.0], "bp": np.nan, "s5": np.nan})
asked = asked.assign(progress=np.nan, sex=pd.Categorical(["a", "a"], ["a", "b"]))
draws = model.sample_conditional(asked, 2000, random_state=0)

fig, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
names = {"bp": "blood pressure", "s5": "blood value s5", "progress": "progress"}
for axis, (column, name) in zip(axes, names.items(), strict=True):
    ends = np.quantile(draws[column], [0.002, 0.998])
    for row, color in [(0, "#4477aa"), (1, "#ee6677")]:
        label = f"bmi {asked['bmi'][row]:g}"
        bins = np.linspace(*ends, 30)
        axis.hist(draws[column][row], bins, color=color, alpha=0.6, label=label)
    axis.set(xlabel=name, yticks=[])
axes[0].legend(frameon=False)

# %%
# What to fill in
# ---------------
# Means err least, but a table of means is narrower than the patients were, and more
# regular. Draws keep spread and relations. The grey points are known in both columns.

fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
gone = holed[["bmi", "progress"]].isna().any(axis=1)
for axis, strategy in zip(axes, ["mean", "sample"], strict=True):
    imputer = DensityImputer(strategy=strategy, random_state=0).fit(holed)
    filled = imputer.transform(holed)
    known = {"s": 8, "color": "#bbbbbb", "linewidths": 0}
    axis.scatter(patients["bmi"][~gone], patients["progress"][~gone], **known)
    axis.scatter(filled["bmi"][gone], filled["progress"][gone], s=8, color="#4477aa")
    axis.set(xlabel="body mass index", title=f'strategy="{strategy}"', xlim=(14, 46))
    spread = filled["progress"][gone].std() / patients["progress"][gone].std()
    print(f"{strategy}: spread of the progress {spread:.2f} of what it was")
axes[0].set_ylabel("progress")
plt.show()
