"""What became of requests whose outcome is unknown, by the provider's lists."""
