"""The provider that lies: the product's sandbox, to which a test says what goes wrong.

A test in the same process calls the methods of `server.Sandbox`. Another process POSTs JSON to its control addresses,
with `control.HEADERS`: answers for the next calls (`script.py`), faults by chance, rate limits and habits (`faults.py`,
`habits.py`), strangers and a history (`strangers.py`), another generation of types, `hold` and `release` of all answers
to POST, `reset`. `record` tells of every POST received, for workstations and for connections, and of every workstation
made.
"""
