"""What is provisioned: one stack a file, composed in ``app.py``. Imports kmslab.model only."""
