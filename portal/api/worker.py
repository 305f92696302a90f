"""gunicorn's own ASGI worker, which at its end lets nobody wait any longer."""

from gunicorn.workers.gasgi import ASGIWorker


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    def handle_exit_signal(self) -> None:
        """SIGTERM: a start of the next version waits for no POST that waits for its turn."""
        self.asgi.waiter.stop()
        super().handle_exit_signal()
