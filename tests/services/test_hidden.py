"""What is hidden of a provider's response, and what of it stays as it was written."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.services.runtime import hidden

NAMES = (
    *("token", "access_token", "accessToken", "ACCESSTOKEN", "refresh_token", "x-amz-security-token", "authtoken"),
    *("secret", "clientSecret", "client_secret_1", "password", "vncPassword", "vncpassword", "Password2", "passwd"),
    *("passwordHash", "passphrase", "signature", "x-amz-signature", "X-Goog-Signature", "sig", "url_sig", "pwd"),
    *("authorization", "Proxy-Authorization", "api_key", "apikey", "apiKey", "X-API-Key", "APIKey", "credential"),
    *("credentials", "X-Amz-Credential", "cookie", "Set-Cookie", "cookies", "private_key", "sshPrivateKey", "auth"),
    *("SSHPrivateKey", "privatekey", "secretKey", "aws_secret_access_key", "pass\\u0077ord", "JWT"),
)
ORDINARY = (
    *("id", "type", "status", "startedAt", "next_cursor", "previous_cursor", "key", "keys", "keyboard", "monkey"),
    *("name", "design", "signal", "assignee", "author", "authority", "secretary", "tokenizer", "passwordless"),
    *("compass", "pass"),
    *("token_type", "tokenType", "password_changed_at", "token_expires", "signature_algorithm", "cookie_policy", ""),
    *("incognito_kenya", "message", "error", "session", "description", "public_key"),
)


def test_a_text_under_the_name_of_a_secret():
    for name, value in itertools.product(NAMES, ("hunter2", '"', "\\", "{", "ä\n")):
        text = f'{{"a": 1.50, "{name}" : {json.dumps(value)}, "b": "seen"}}'
        assert hidden.hide(text=text) == f'{{"a": 1.50, "{name}" : "(not shown)", "b": "seen"}}'
        assert hidden.hide(text=text, with_addresses=True) == hidden.hide(text=text)


def test_a_text_under_an_ordinary_name():
    for name in ORDINARY:
        text = f'{{"{name}": "hunter2", "n": [{{"{name}": "x"}}]}}'
        assert hidden.hide(text=text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"tokens_used": 12, "token": null, "password": true, "secret": ""}', None),
        (
            '{"credentials": {"user": "x", "port": 1, "more": ["y", {"z": "w"}]}, "b": "seen"}',
            '{"credentials": {"user": "(not shown)", "port": 1, "more": ["(not shown)", {"z": "(not shown)"}]}, '
            '"b": "seen"}',
        ),
        ('[{"a": [{"token": "x"}]}, "token", "x"]', '[{"a": [{"token": "(not shown)"}]}, "token", "x"]'),
        ('{"token": 1, "b": "seen"}', None),
        ('{"token": [1], "b": "seen"}', None),
        ('{"token": "hunt', '{"token": "(not shown)"'),
        ('{"token": "hunt\\', '{"token": "(not shown)"'),
        ('{"token": "hunt\\"er', '{"token": "(not shown)"'),
        ('{"token": ["a", "hunt', '{"token": ["(not shown)", "(not shown)"'),
        ('{"tok', None),
        ('{"token":', None),
        ('\ufeff {"token": "x"}', '\ufeff {"token": "(not shown)"}'),
        ('}]{"token": "x"}', '}]{"token": "(not shown)"}'),
        ('{}}]]{"token": "x"}', '{}}]]{"token": "(not shown)"}'),
        ('{"a": "\\": \\"", "token": "x"}', '{"a": "\\": \\"", "token": "(not shown)"}'),
        ("token=hunter2", None),
        ('"token"', None),
        ("", None),
    ],
)
def test_what_stands_around_it(text, shown):
    assert hidden.hide(text=text) == (text if shown is None else shown)


def test_json_in_a_text_of_json_whole_and_cut_anywhere():
    text = json.dumps({"body": json.dumps({"body": json.dumps({"töken": "x", "token": 'hunter"2', "b": "seen"})})})
    shown = json.loads(hidden.hide(text=text))
    within = json.loads(json.loads(shown["body"])["body"])
    assert within == {"töken": "x", "token": "(not shown)", "b": "seen"}
    for end in range(len(text)):
        assert "hun" not in hidden.hide(text=text[:end]), text[:end]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"url": "https://a/b"}', '{"url": "(address not shown)"}'),
        (r'{"x": ["HTTP:\/\/a\/b\"c", 1]}', '{"x": ["(address not shown)", 1]}'),
        (r'{"x": "\u0068ttps://a"}', '{"x": "(address not shown)"}'),
        ('{"url": "https://a/cut-of', '{"url": "(address not shown)"'),
        ('{"token_url": "https://a/b"}', '{"token_url": "(address not shown)"}'),
        (
            '{"message": "see https://a/b, \\"HTTPS://c\\"."}',
            '{"message": "see (address not shown) \\"(address not shown)\\"."}',
        ),
        ('<a href="https://a/b">', '<a href="(address not shown)">'),
        ('{"https://a/\\"b": 1}', '{"(address not shown)": 1}'),
        ('{"x": "wss://a/b"}', '{"x": "(address not shown)"}'),
    ],
)
def test_addresses_are_hidden_in_json_but_not_from_their_owner(text, shown):
    assert hidden.hide(text=text) == shown
    assert hidden.hide(text=text, with_addresses=True) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Asset not found", None),
        ('No workspace "Ab1" of type "max": take another.', None),
        ("See https://files.example/a?signature=b for more", "See (address not shown) for more"),
        ('{"detail": {"token": "x", "n": 1}}', '{"detail": {"token": "(not shown)", "n": 1}}'),
        (
            'Refused: {"access_token": "x", "file": "https://a"}',
            'Refused: {"access_token": "(not shown)", "file": "(address not shown)"}',
        ),
        ('{"note": "see {\\"access_token\\": \\"x\\"}"}', '{"note": "see {\\"access_token\\": \\"(not shown)\\"}"}'),
        ('Disk 12" of "a" full: {"token": "x"}', 'Disk 12" of "a" full: {"token": "(not shown)"}'),
        ('The "token": "x" is old', 'The "token": "(not shown)" is old'),
        ('{"a": ["see {\\"token\\": \\"x', '{"a": ["see {\\"token\\": \\"(not shown)\\""'),
        ("", None),
    ],
)
def test_what_the_provider_says_in_words(text, shown):
    assert hidden.hide(text=text) == (text if shown is None else shown)


texts = st.text(st.sampled_from('ab"\\{}[]:,ä'), max_size=8)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.just("https://a/?b=c"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b c", 'q"', "näme", "token", "vncPassword"]), inner, max_size=3)
    ),
    max_leaves=12,
)
quick = settings(max_examples=100, derandomize=True, database=None, deadline=None)


def strip(document: object, *, is_secret: bool = False) -> object:
    """The same, told by what the text means and not by its letters."""
    match document:
        case dict():
            return {
                name: strip(part, is_secret=is_secret or hidden.is_secret(name=name)) for name, part in document.items()
            }
        case list():
            return [strip(part, is_secret=is_secret) for part in document]
        case str() if document.startswith("https://"):
            return "(address not shown)"
        case str() if is_secret and document:
            return "(not shown)"
        case _:
            return document


@quick
@given(document=st.lists(documents, max_size=3), indent=st.sampled_from([None, 2]))
def test_any_document(document, indent):
    assert json.loads(hidden.hide(text=json.dumps(document, indent=indent))) == strip(document)


@quick
@given(before=documents, after=documents, end=st.integers(min_value=0, max_value=300))
def test_any_document_cut_anywhere(before, after, end):
    text = json.dumps([before, {"n": [before], "vncPassword": "S3CRET" * 5, "secrets": [after, "S3CRET"]}])
    assert "S3C" not in hidden.hide(text=text)
    assert "S3C" not in hidden.hide(text=text[:end])
