"""What is left of a lab: what its stacks owned, what carries its tags, and what ``kmslab down`` takes away beside the stacks."""
