"""Programs that pages of the course run and show: each is a file of its own, with tests, and never pasted."""
