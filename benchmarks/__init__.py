"""Figures of the README: `make bench` measures them again."""
