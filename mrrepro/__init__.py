"""Executable replications of four papers that use deep learning on MRI.

The library holds what the notebooks need: phantoms, simulators, solvers, networks, training,
metrics, and the ledger in which every number of a paper meets the number computed here.
"""

__version__ = "0.1.0"
