"""How long workstations live."""
