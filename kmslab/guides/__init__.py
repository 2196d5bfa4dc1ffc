"""The course as a program: guide pages are read, their commands run in a real shell, their output compared."""
