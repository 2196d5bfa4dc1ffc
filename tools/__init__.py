"""Scripts that set the checkout up; they run before anything is installed."""
