"""What the lab costs in an AWS account: `estimate` says so for a lab's settings, from a dated table of prices."""

from kmslab.cost.estimating import ClassEstimate, Estimate, Line, estimate

__all__ = ["ClassEstimate", "Estimate", "Line", "estimate"]
