"""Passwords and codes that are tried, by web requests: counted before they are looked at."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from portal.accounts import passwords
from portal.services.people import throttle
from portal.views import cookies
from portal.web import client_address


@contextmanager
def counted_try(request: HttpRequest, *, name: str) -> Iterator[None]:
    """Count a password that is looked at within. Raises TooManyFailures, or TooManyHashings before anything is done."""
    subjects = _list_subjects(request, name=name)
    throttle.refuse_waiting(subjects=subjects)
    gates = {"person": passwords.MEMBERS, "browser": passwords.FRIENDS}
    with gates.get(subjects[0].kind, passwords.STRANGERS).enter():
        throttle.count_try(subjects=subjects, name=name)
        yield


def count_code(request: HttpRequest, *, name: str) -> None:
    """Count a code, which costs no hashing. Raises TooManyFailures."""
    throttle.count_try(subjects=_list_subjects(request, name=name), name=name)


def forget_failures(request: HttpRequest, *, name: str) -> None:
    throttle.forget_failures(subjects=_list_subjects(request, name=name))


def _list_subjects(request: HttpRequest, *, name: str) -> list[throttle.Subject]:
    """While somebody is signed in they count, whatever name they type."""
    name = request.user.get_username() or name
    address = client_address.find_network(request)
    known = cookies.find_browser(request, name=name)
    return throttle.list_subjects(name=name, address=address, browser=known, is_signed_in=request.user.is_authenticated)
