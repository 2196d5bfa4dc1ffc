"""What the verifier and the scanners notice of the same faults: ``python -m benchmarks.score``, or ``make score``."""
