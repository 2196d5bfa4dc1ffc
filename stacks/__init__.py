"""What is provisioned, one stack a file; imports kmslab.model only."""
