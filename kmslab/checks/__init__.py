"""What is proven: one module per topic, in guide order; importing this package registers every check."""
