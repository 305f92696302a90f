"""What the provider wrote and not everybody may read: the addresses of files, and whatever is named as a secret.

A response is kept as it came, and this is hidden where it is shown; what a request's page quotes of it is kept without.
Whoever has a file's address has the file, so only its owner is shown it; a password or a token that the provider
answers is shown to nobody.
"""

import json
import re
from collections.abc import Iterator

_NO_ADDRESS = "(address not shown)"
_HIDDEN = '"(not shown)"'
# A JSON string, or the beginning of one where the text was cut; and what opens and closes. Nothing else matters here.
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)("|\\?\Z)|[\[\]{}]', re.DOTALL)
_COLON = re.compile(r"\s*:")
_AFTER_STRING = re.compile(r"\s*(?:[,:\]}]|\Z)")
_CUT_ESCAPE = re.compile(r"\\u[0-9a-f]{0,3}\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"\s*(?:http|ws)s?://", re.IGNORECASE)
_ADDRESS_WITHIN = re.compile(r"""(?:http|ws)s?://[^\s"'<>]*""", re.IGNORECASE)
_DEEPEST = 8  # texts that are JSON themselves, within each other

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Parts of a name's words, as in `vncPassword` and `accesstoken`, and words that are common as parts of others.
_SECRET_PARTS = re.compile(
    "token(?!i[sz])|secret(?!ar|i)|passw(?!ordless)|passphrase|passcode|signature|authorization|credential|cookie"
    "|(?:api|private|access|signing|encryption)_?key"
)
_SECRET_WORDS = frozenset({"sig", "pwd", "auth", "jwt", "bearer", "hmac"})
# What a name ends in that describes a secret and is none: `token_type`, `password_changed_at`.
_ABOUT_SECRETS = re.compile("type|count|used|usage|limit|length|at|expires|expiry|expiration|algorithm|policy")


def hide(*, text: str, with_addresses: bool = False) -> str:
    """The text without secrets, and without web addresses unless `with_addresses`. It may be JSON, whole or cut, or
    words that quote some; each text within is read likewise."""
    return _hide(text, with_addresses=with_addresses, depth=0)


def is_secret(*, name: str) -> bool:
    """Whether a member of this name is likely to let in whoever reads it."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or _ABOUT_SECRETS.fullmatch(words[-1]):
        return False
    return bool(_SECRET_PARTS.search("_".join(words))) or not _SECRET_WORDS.isdisjoint(words)


def _hide(text: str, *, with_addresses: bool, depth: int) -> str:
    shown = text if depth > _DEEPEST else "".join(_walk(text, with_addresses=with_addresses, depth=depth))
    return shown if with_addresses else _ADDRESS_WITHIN.sub(_NO_ADDRESS, shown)


def _walk(text: str, *, with_addresses: bool, depth: int) -> Iterator[str]:
    """The text in pieces. Every text within a list or an object that is named as a secret is one too."""
    end = 0
    is_next_secret = False
    within = [False]  # of each list and object that is open: whether it is a secret
    while match := _TOKEN.search(text, end):
        yield text[end : match.start()]
        end, token = match.end(), match[0]
        if token in ("{", "["):
            within.append(within[-1] or is_next_secret)
            is_next_secret = False
        elif token in ("}", "]"):
            is_next_secret = False
            if len(within) > 1:
                within.pop()
        elif not (is_hidden := within[-1] or is_next_secret) and not _AFTER_STRING.match(text, end):
            end, token = end - 1, token[:-1]  # words in quotes, or one quote of words: the next may begin a string
        else:
            is_name = _COLON.match(text, end) is not None
            token = _show(match, is_secret=is_hidden and not is_name, with_addresses=with_addresses, depth=depth)
            is_next_secret = is_name and is_secret(name=_decode(match))
        yield token
    yield text[end:]


def _show(match: re.Match[str], *, is_secret: bool, with_addresses: bool, depth: int) -> str:
    token, value = match[0], _decode(match)
    if _ADDRESS.match(value):
        return token if with_addresses else json.dumps(_NO_ADDRESS)
    if is_secret:
        return _HIDDEN if value else token
    shown = _hide(value, with_addresses=with_addresses, depth=depth + 1)
    return token if shown == value else json.dumps(shown)


def _decode(match: re.Match[str]) -> str:
    """What the JSON string says; as it is written where it is none."""
    text: str = match[1]
    if "\\" not in text:
        return text
    try:
        decoded: str = json.loads(f'"{text if match[2] == '"' else _CUT_ESCAPE.sub("", text)}"', strict=False)
    except ValueError:
        return text
    return decoded
