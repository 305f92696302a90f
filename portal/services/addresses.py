"""Addresses in what the provider wrote: whoever has a file's address has the file, so only its owner is shown it."""

import re

HIDDEN = '"(address not shown)"'
# A whole JSON string that begins as an address, or the beginning of one where the text was cut.
_ADDRESS = re.compile(r'"https?:(?:\\?/){2}(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.IGNORECASE | re.DOTALL)


def hide_addresses(*, text: str) -> str:
    """The JSON text without the web addresses in it. What is no JSON, such as a gateway's page, stays as it is."""
    return _ADDRESS.sub(HIDDEN, text) if text.lstrip()[:1] in ("{", "[") else text
