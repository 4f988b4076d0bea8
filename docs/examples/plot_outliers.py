"""
Finding outliers
================

Which rows are unlike the others, how sure can one be, and which columns are to blame?
"""

# %%
# Cells of tumours
# ----------------
# Thirty measures of cell nuclei for each of 569 tumours. Suppose that only benign ones
# are known. Half of these are fitted on; the others, and all malignant ones, are new.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from destructors.estimators import OutlierDetector
from destructors.inspection import OutlierDisplay

data = load_breast_cancer(as_frame=True)
benign = data.data[data.target == 1].sample(frac=1.0, random_state=0)
malignant = data.data[data.target == 0]
known, new = benign[::2], benign[1::2]

# %%
# A rate of false alarms
# ----------------------
# Rows are scored by densities that have not seen them, so that the share of benign
# tumours flagged is what was asked for, up to chance.

detector = OutlierDetector(contamination=0.05, random_state=0).fit(known)
for name, rows in [("benign", new), ("malignant", malignant)]:
    flagged = np.mean(detector.predict(rows) == -1)
    print(f"{name}: {flagged:.0%} of {len(rows)} flagged")

# %%
# A p-value is the share of benign tumours that are as strange.

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
for name, rows, color, dashes in [
    ("benign", new, "#4477aa", "-"),
    ("malignant", malignant, "#ee6677", "--"),
]:
    p = np.sort(detector.p_values(rows))
    ax.step(p, np.arange(1, len(p) + 1) / len(p), color=color, ls=dashes, label=name)
ax.axline((0, 0), slope=1, color="#808080", lw=1, ls=":")
ax.set(xlabel="p-value", ylabel="share of tumours below", xlim=(0, 1), ylim=(0, 1.02))
ax.legend(frameon=False)

# %%
# Which columns
# -------------
# For each row, the nats by which each column is stranger than the others let expect:
# here of a malignant tumour, and of a benign one.

shown = pd.concat([malignant.iloc[[3]], new.iloc[[0]]])
OutlierDisplay.from_estimator(detector, shown)
plt.show()
