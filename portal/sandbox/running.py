"""The sandbox in a process of its own, until a signal ends it."""

import signal
import sqlite3
from argparse import ArgumentParser
from pathlib import Path

from portal.sandbox import names, server

# SIGHUP too: a closed terminal is no reason to break off an answer.
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_EVERY = 0.25  # seconds; it is mostly idle


class CannotServe(Exception):
    """The sandbox cannot be served there; the message is one line."""


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="A loopback address.")
    parser.add_argument("--port", type=int, default=names.DEFAULT_PORT)
    parser.add_argument("--connections-port", type=int, default=0, help="Of desktops and terminals; 0: any free one.")
    parser.add_argument("--data", type=Path, help="Its SQLite file; sandbox.sqlite3 beside the portal's data.")
    parser.add_argument("--lifetime", type=float, default=3600.0, help="Seconds that a workstation lives.")


def serve(*, host: str, port: int, connections_port: int, data: Path, lifetime: float) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, and finish the answers begun. Raises CannotServe."""
    try:
        sandbox = server.Sandbox(
            host=host,
            port=port,
            connections_port=connections_port,
            path=data,
            lifetime=lifetime,
            look_every=_LOOK_EVERY,
        )
    except ValueError as error:
        raise CannotServe(str(error)) from None
    except OverflowError:
        wrong = connections_port if port in range(65536) else port
        raise CannotServe(f"{wrong} is no port: choose one from 0 to 65535.") from None
    except OSError as error:
        places = f"{host}:{port}" + (f" and {host}:{connections_port}" if connections_port else "")
        raise CannotServe(f"The sandbox cannot use {places} with {data}: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise CannotServe(f"The sandbox cannot use its data in {data}: {error}.") from None
    # Before there are other threads: one of them might take a signal, of which this one would hear later.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    with sandbox:
        print(f"The sandbox answers at {sandbox.base_url}", flush=True)  # noqa: T201
        signal.sigwait(ENDS)
