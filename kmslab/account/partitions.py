"""Where each partition of AWS keeps what is not of one Region."""

from __future__ import annotations

HOMES = {"cn-": "cn-north-1", "us-gov-": "us-gov-west-1"}
"""Beginnings of Region names, and the Region in which such a partition shows the quota of buckets."""
COMMERCIAL = "us-east-1"
"""The same for every other Region (S3 User Guide, "General purpose bucket quotas"; a stored copy, 2026-11)."""


def home(region: str) -> str:
    """Return the Region of the same partition that every account has, and that shows global quotas."""
    return next((home for start, home in HOMES.items() if region.startswith(start)), COMMERCIAL)
