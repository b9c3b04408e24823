# %% [markdown]
# # First simulation
#
# How does one simulate?

# %%
import brainunit as u
import matplotlib.pyplot as plt

import brainmass

node = brainmass.MontbrioPazoRoxinStep(1, delta=1 / u.ms, method="heun")
result = brainmass.Simulator(node, dt=0.01 * u.ms).run(100 * u.ms, monitors=["r"], seed=0)
print(result)

# %%
brainmass.viz.plot_timeseries(result["r"], result.time)
plt.show()
