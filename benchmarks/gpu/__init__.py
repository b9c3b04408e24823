"""What runs are on a GPU: compiled for one that is described, and measured on one that is there."""
