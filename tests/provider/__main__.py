"""`python -m tests.provider --port PORT [--data FILE]`: in a process of its own, until SIGTERM or SIGINT."""

import argparse
import signal

from portal.sandbox.server import ENDS, add_options
from tests.provider import server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    with server.Sandbox(**vars(options)) as sandbox:
        print(f"The provider answers at {sandbox.base_url}", flush=True)  # noqa: T201
        signal.sigwait(ENDS)


if __name__ == "__main__":
    main()
