"""`python -m portal.sandbox --data FILE`: the sandbox in a process of its own, until SIGTERM, SIGINT or SIGHUP."""

import argparse
import logging
import signal
import sqlite3

from portal.sandbox import server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    server.add_options(parser)
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")
    try:
        sandbox = server.Sandbox(**vars(options), look_every=0.25)  # seconds; it is mostly idle
    except (ValueError, OverflowError, OSError, sqlite3.Error) as error:
        place = f"{options.host}:{options.port} with {options.path}"
        raise SystemExit(f"portal: The sandbox cannot be served at {place}: {error}") from None
    # Before there are other threads: one of them might take a signal, of which this one would hear later.
    signal.pthread_sigmask(signal.SIG_BLOCK, server.ENDS)
    with sandbox:
        print(f"The sandbox answers at {sandbox.base_url}", flush=True)  # noqa: T201
        signal.sigwait(server.ENDS)


if __name__ == "__main__":
    main()
