"""Ids of rows, as addresses and forms name them."""

MAX_ID = 2**63 - 1


def parse_id(text: str) -> int | None:
    """The id that the text is; None where it is none, or is higher than any can be."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return number if number is not None and number <= MAX_ID else None
