"""`python -m tests.bench.guesses`: what guessing brings, and what it costs, within one process of the portal.

Says how long the portal takes for a name that nobody has, beside a wrong password: a guesser must not learn from it who
has an account. Each is in turns with the others, and what was counted against it is forgotten.
"""

import os
import sys
import time
from collections import Counter
from statistics import median

import django
import pyotp
from django.apps import apps
from django.core.management import call_command
from django.test.utils import CaptureQueriesContext, override_settings, setup_test_environment

if __name__ == "__main__" and not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.db import connection
from django.urls import reverse

from portal import models
from tests import factories
from tests.bench import figures
from tests.browser import Browser

ADDRESSES = [f"198.51.100.{number}" for number in range(1, 21)]
WRONG = {"password": "wrong", "code": "000000", "recovery code": "00000000"}
_TIMED = 100  # of each
_MOST_APART = 0.05


def add_factors(person: models.User) -> pyotp.TOTP:
    secret = pyotp.random_base32()
    TOTP.activate(person, secret)
    RecoveryCodes.activate(person)
    return pyotp.TOTP(secret)


def try_password(browser: Browser, name: str, password: str) -> int:
    values = {"username": name, "password": password}
    return browser.post(reverse("account_login"), values, secure=True).status_code


def try_code(browser: Browser, code: str) -> int:
    return browser.post(reverse("mfa_authenticate"), {"code": code}, secure=True).status_code


def guess(kind: str, name: str, *, number: int) -> int:
    """One try by somebody new at one of twenty addresses, who knows the password where it is a code that is guessed."""
    browser = Browser(REMOTE_ADDR=ADDRESSES[number % len(ADDRESSES)])
    if kind == "password":
        return try_password(browser, name, WRONG[kind])
    status = try_password(browser, name, factories.PASSWORD)
    return try_code(browser, WRONG[kind]) if status == 302 else status


def time_each(names: list[str]) -> bool:
    """Whether the goal is met."""
    stranger, times = Browser(), dict[str, list[float]]()
    for name in names:
        for words, tried in {"nobody's": f"no-{name}", "one's, first": name, "one's, once more": names[0]}.items():
            models.Limit.objects.filter(kind__in=("name", "address")).delete()
            begun = time.perf_counter()
            assert try_password(stranger, tried, "wrong") == 200
            times.setdefault(words, []).append(time.perf_counter() - begun)
    middles = {words: median(taken) for words, taken in times.items()}
    figures.show(*figures.write_head(["a wrong password for a name that is", "p50, ms"]))
    figures.show(*(figures.write_row([words, f"{1000 * taken:.1f}"]) for words, taken in middles.items()))
    unknown, *known = middles.values()
    return all(abs(taken / unknown - 1) <= _MOST_APART for taken in known)


def count_sign_in(name: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert try_password(Browser(), name, factories.PASSWORD) == 302
    words = Counter(query["sql"].split()[0] for query in queries)
    frame = sum(words[word] for word in ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    figures.show(f"A sign-in: {words.total() - frame} statements, {words['COMMIT']} transactions.")


def guess_many(kind: str, *, count: int) -> Counter[int]:
    """What guessers are answered, by status, while the owner signs in by a browser in which they have before."""
    person = factories.create_user(f"guessed-{kind.replace(' ', '-')}", "Members")
    app = None if kind == "password" else add_factors(person)
    known, name, answers = Browser(REMOTE_ADDR="203.0.113.1"), person.get_username(), Counter[int]()
    for half in range(2):
        assert try_password(known, name, factories.PASSWORD) == 302
        assert app is None or try_code(known, app.at(time.time() + 30 * half)) == 302
        assert known.get("/", secure=True).status_code == 200
        known.post(reverse("logout"), secure=True)
        answers.update(guess(kind, name, number=number) for number in range(half, count, 2))
    return answers


def show_guesses(kind: str) -> None:
    answers = guess_many(kind, count=1000)
    figures.show(f"Of {answers.total()} wrong tries of a {kind} {answers[200]} were looked at.")


if __name__ == "__main__":
    setup_test_environment()
    call_command("migrate", verbosity=0)
    with override_settings(PASSWORD_HASHERS=["portal.accounts.passwords.GatedHasher"]):
        names = [factories.create_user(f"person-{number}").get_username() for number in range(_TIMED)]
        is_met = time_each(names)
        for _ in range(2):  # the second is by a known name
            count_sign_in(names[1])
        for kind in WRONG:
            show_guesses(kind)
    sys.exit(not is_met)
