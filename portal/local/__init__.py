"""What `make run` needs: one process that starts the others, and secrets that a local portal makes for itself."""
