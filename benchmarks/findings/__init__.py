"""What other tools find in the lab, and which of their findings are accepted, each with its reason."""
