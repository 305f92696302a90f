"""Waiting for what a worker that runs in another thread writes."""

import threading


def await_row(query) -> None:
    """Until the database has it."""
    pause = threading.Event()
    while not query.exists():
        pause.wait(0.01)
