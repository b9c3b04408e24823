"""The past: what a source sent some time ago, and how its gradient goes back."""
