"""Chaos: the whole portal under clients in a hurry, while everything about it dies, freezes or lies. `make chaos`."""
