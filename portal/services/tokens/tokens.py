"""Tokens of people's programs: made once, found by their hash, ended; and what one may be used for."""

import hashlib
import secrets
import string
import zlib
from collections.abc import Collection
from datetime import timedelta
from ipaddress import ip_network

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit

OF_LOGIN = "wsp on "  # how the names of tokens begin that `wsp login` gets
_PREFIX = "wsp_"  # by which secret scanners know one, and by its checksum
_RANDOM, _CHECKSUM = 30, 6  # letters and digits: 178 bits, and 32
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NOTED_EVERY = timedelta(minutes=1)
_RIGHTS = {models.Token.Scope.REQUEST: "portal.submit_request"}  # all else is done with what is one's own


class NoNetworks(Exception):
    """The text names no networks; the message is fit for the person."""


@transaction.atomic
def create_token(
    *,
    person: models.User,
    name: str,
    scopes: Collection[str],
    lifetime: timedelta | None,
    addresses: str = "",
    by: models.User | None = None,
    **how: object,
) -> str:
    """The text of a new token of the person's, which nobody learns later. `addresses`: as `read_networks` gives them;
    `by`: nobody, where a command makes it; `how`: what else the event says then."""
    text = _make_text()
    row = models.Token.objects.create(
        person=person,
        name=name,
        scopes=" ".join(scope for scope in models.Token.Scope.values if scope in scopes),
        addresses=addresses,
        token_hash=_hash(text),
        ends_at=clock.read_clock() + lifetime if lifetime else None,
    )
    detail = {"person": person.get_username(), "scopes": row.scopes.split(), **how}
    audit.record(Verb.MAKE_TOKEN, row, by=by, detail=detail)
    return text


def read_networks(*, text: str) -> str:
    """The addresses and networks that are named, with spaces between them. Raises NoNetworks."""
    try:
        return " ".join(str(ip_network(part)) for part in text.replace(",", " ").split())
    except ValueError:
        raise NoNetworks(_("Type addresses or networks, such as 10.0.0.2, 10.1.0.0/16 or 2001:db8::/32.")) from None


@transaction.atomic
def end_token(*, token: models.Token, by: models.User | None) -> None:
    """End it at once. What has ended is no event."""
    rows = models.Token.objects.filter(ended_at=None)
    if token.update_where(rows, ended_at=Now(), ended_by=by or token.person):
        detail = audit.describe_moment(row=token, column="ended_at")
        audit.record(Verb.END_TOKEN, token, by=by, detail={"person": token.person.get_username(), **detail})


@transaction.atomic
def end_tokens(*, person: models.User, by: models.User | None, all_: bool = False) -> None:
    """End those that `wsp login` got for the person, or all. Without `by` the portal itself does."""
    rows = list_tokens(person=person)
    for token in rows if all_ else rows.filter(name__startswith=OF_LOGIN):
        end_token(token=token, by=by)


def list_tokens(*, person: models.User) -> QuerySet[models.Token]:
    """Those of the person's that have not ended, newest first. While the person is deactivated they do nothing."""
    return _list_unended().filter(person=person).order_by("-pk")


def list_living() -> QuerySet[models.Token]:
    """Those with which a program may come, with their people."""
    return _list_unended().filter(person__is_active=True).select_related("person")


def _list_unended() -> QuerySet[models.Token]:
    return models.Token.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()), ended_at=None)


def find_token(*, text: str, address: str) -> models.Token | None:
    """The token with this text while it lives, where it works from this address; always by one look for its hash."""
    found = list_living().filter(token_hash=_hash(text)).first()
    return found if found and found.works_from(address) else None


def list_scopes(*, person: models.User) -> list[models.Token.Scope]:
    """What a token of the person's can be used for now."""
    if not person.has_module_perms("portal"):  # they have no role
        return []
    return [scope for scope in models.Token.Scope if scope not in _RIGHTS or person.has_perm(_RIGHTS[scope])]


def may_use(*, token: models.Token, scope: models.Token.Scope) -> bool:
    """Whether the token has this scope, and its person a role and the right that it stands for."""
    return scope in token.scopes.split() and scope in list_scopes(person=token.person)


def note_use(*, token: models.Token) -> None:
    """Note that the token is used: once a minute is enough."""
    now = timezone.now()
    if token.last_used_at is None or not timedelta(0) <= now - token.last_used_at < _NOTED_EVERY:
        models.Token.objects.filter(pk=token.pk).update(last_used_at=now)


def _make_text() -> str:
    body = _PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return body + _write_base62(zlib.crc32(body.encode()))


def _write_base62(number: int) -> str:
    written = ""
    for _place in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        written = _DIGITS[digit] + written
    return written


def _hash(text: str) -> str:
    """Without a key: nobody guesses so many random bits, and a new SECRET_KEY ends no token."""
    return hashlib.sha256(text.encode()).hexdigest()
