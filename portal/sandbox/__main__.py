"""`python -m portal.sandbox --data FILE`: the sandbox without the portal, whose command is `manage.py run_sandbox`."""

import argparse
import logging

from portal.sandbox import server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    server.add_options(parser)
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data is missing: the file in which it keeps what it made")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")
    try:
        server.serve(**vars(options))
    except server.CannotServe as error:
        raise SystemExit(f"portal: {error}") from None


if __name__ == "__main__":
    main()
