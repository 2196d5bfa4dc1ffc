"""A class: many seats at once, each a lab in an account of its own."""
