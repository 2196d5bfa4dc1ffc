"""The probe suite: what AWS documents, asked of any emulator.

A probe is one behaviour that AWS documents, with its source, observed from two sides: something works,
and the same thing is refused or different where AWS says so. A target that says yes to everything passes
none, and neither does one that refuses everything. From what was seen follow the capabilities of a target.

Probes need no deployed lab: they make what they look at, tag it as temporary, and remove it.
"""
