"""Real and synthetic data, with provenance."""

from brainmass.connectome.dense import Connectome
from brainmass.datasets.hcp import EmpiricalDataset, load_hcp_schaefer100
from brainmass.datasets.registry import list_datasets, load_dataset, register_dataset
from brainmass.datasets.tasks import delayed_match_task

__all__ = [
    "Connectome",
    "EmpiricalDataset",
    "delayed_match_task",
    "list_datasets",
    "load_dataset",
    "register_dataset",
]

register_dataset("hcp_schaefer100", load_hcp_schaefer100, overwrite=True)  # a module may be reloaded
