"""What is particular to a database."""
