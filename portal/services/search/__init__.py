"""Finding requests and events among millions, and taking them away as a file."""
