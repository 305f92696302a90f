"""What the provider has, as it told of it."""
