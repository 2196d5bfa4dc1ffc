"""What each command does; imported when it is called, so that ``--help`` answers at once."""
