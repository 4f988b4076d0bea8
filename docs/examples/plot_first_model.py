"""
A first model in a notebook
===========================

From a table to a density, and a look at each step: what a notebook shows of a model,
how its likelihood grew, and whether its samples are like the data.
"""

# %%
# A table
# -------
# Four measures of 178 wines of three kinds.

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine

import destructors
from destructors.callbacks import LikelihoodMonitor
from destructors.flows import RBIG
from destructors.metrics import two_sample_test

columns = ["alcohol", "flavanoids", "color_intensity", "proline"]
wines = load_wine(as_frame=True).data[columns].sample(frac=1.0, random_state=0)
train, test = wines[:118], wines[118:]

# %%
# Is something odd about it: values that repeat, columns that follow from others? A line
# would say so, and what to do. There is none.

destructors.describe(wines)

# %%
# A model
# -------
# A monitor records the likelihood after each step; in a notebook it draws the curves
# while the fit runs. A fitted model shows its parameters, and below them its layers.

monitor = LikelihoodMonitor()
model = RBIG(cv=5, random_state=0).set_callbacks(monitor)
model.fit(train)

# %%
# How it grew
# -----------
# With ``cv=5``, five stacks grow side by side, and their mean on held-out rows decides.
# Layers that gained nothing in the end are dropped.

display = monitor.plot()

# %%
# The same as a table:

monitor.to_frame()[["step", "name", "train_score", "validation_score"]].head()

# %%
# What was learned
# ----------------
# Wines that the model has not seen are below the diagonal, samples above it.

display = model.plot(test)

# %%
# Are samples and wines of one distribution? No column says otherwise.

samples = model.sample(len(test), random_state=0)
test_of_samples = two_sample_test(test, samples, random_state=0)
print(f"p = {test_of_samples.pvalue:.2f}, columns: {test_of_samples.differing()}")
plt.show()
