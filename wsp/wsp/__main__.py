"""Where `wsp` begins. Importing the rest takes a while, in which Ctrl-C is to end it without a traceback too."""

import sys


def main() -> None:
    try:
        from wsp import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
