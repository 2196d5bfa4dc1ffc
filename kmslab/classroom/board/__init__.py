"""The board of a class: a page for the trainer's screen and one for each learner, served on loopback."""
