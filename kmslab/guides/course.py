"""The course: the stems of its pages in order."""

from __future__ import annotations

PAGES = (
    "01-orientation",
    "02-first-key",
    "03-key-policies",
    "04-rotation",
    "05-s3",
    "06-ebs",
    "07-envelope",
    "08-asymmetric",
    "09-grants",
    "10-imported-keys",
    "11-secrets",
    "12-audit",
    "13-private-access",
    "14-multi-region",
    "15-post-quantum",
    "16-disaster",
    "17-clouds",
    "18-clean-up",
)
"""The numbered pages: the stem of the file, and what ``guide=`` of a check or a fault says."""

HANDBOOK = "A-trainers-handbook"
"""The trainer's page. Its commands are run like those of the numbered pages."""

APPENDICES = (HANDBOOK, "B-checks", "C-glossary")
"""Pages beside the course: no check and no fault belongs to them."""
