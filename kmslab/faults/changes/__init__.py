"""The building blocks of faults: what can be changed about each kind of thing, live and in templates."""
