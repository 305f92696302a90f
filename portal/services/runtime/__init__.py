"""What worker processes share."""
