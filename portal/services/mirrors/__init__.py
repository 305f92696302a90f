"""What the provider has, as it described it."""
