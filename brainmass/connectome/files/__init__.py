"""Connectomes in files: what is read, and what is written."""

from brainmass.connectome.files.dense import Given, given_by, read_dense
from brainmass.connectome.files.lists import read_connections, read_edge_list, read_edges_npz
from brainmass.connectome.files.tvb import is_tvb, read_tvb
from brainmass.connectome.files.writing import (
    dense_variables,
    sparse_variables,
    write_csv,
    write_edge_list,
    write_mat,
    write_npz,
    write_tvb,
)

__all__ = [
    "Given",
    "dense_variables",
    "given_by",
    "is_tvb",
    "read_connections",
    "read_dense",
    "read_edge_list",
    "read_edges_npz",
    "read_tvb",
    "sparse_variables",
    "write_csv",
    "write_edge_list",
    "write_mat",
    "write_npz",
    "write_tvb",
]
