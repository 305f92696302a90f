"""Passwords and codes that are tried, by web requests: counted before they are looked at."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from portal.accounts import passwords
from portal.services.limits import limits, throttle
from portal.views import cookies
from portal.web import client_address


@contextmanager
def counted_try(request: HttpRequest, *, name: str) -> Iterator[None]:
    """Count a password that is looked at within. Raises TooManyFailures, or TooManyHashings before anything is done."""
    subjects = _find_subjects(request, name=name)
    throttle.refuse_waiting(subjects=subjects)
    gates = {limits.PERSON: passwords.MEMBERS, limits.BROWSER: passwords.FRIENDS}
    with gates.get(next(iter(subjects)), passwords.STRANGERS).enter():
        throttle.count_try(subjects=subjects)
        yield


def count_code(request: HttpRequest, *, name: str) -> None:
    """Count a code, which costs no hashing. Raises TooManyFailures."""
    throttle.count_try(subjects=_find_subjects(request, name=name))


def forget_failures(request: HttpRequest, *, name: str) -> None:
    throttle.forget_failures(subjects=_find_subjects(request, name=name))


def _find_subjects(request: HttpRequest, *, name: str) -> throttle.Subjects:
    """While somebody is signed in they count, whatever name they type; else the browser, where that name signed in in
    it before."""
    if request.user.is_authenticated:
        return {limits.PERSON: request.user.get_username()}
    if browser := cookies.find_browser(request, name=name):
        return {limits.BROWSER: f"{browser} {name}"}
    return {limits.NAME: name, limits.ADDRESS: client_address.find_network(request)}
