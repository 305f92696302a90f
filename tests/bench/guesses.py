"""`python -m tests.bench.guesses`: what guessing brings, and what it costs, within one process of the portal.

Says how long the portal takes for a name that nobody has, beside a wrong password: a guesser must not learn from it who
has an account. Each is in turns with the others, and what was counted against it is forgotten.
"""

import os
import sys
import time
from collections import Counter
from functools import partial
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
_COUNTED = ("name", "address")
_TIMED = 100  # of each
_MOST_APART = 0.05
_UNKNOWN, _CODE = "a name that nobody has", "a wrong code"


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


def time_each() -> bool:
    """Whether the goal is met."""
    stranger, holder = (Browser(REMOTE_ADDR=address) for address in ADDRESSES[:2])
    names = [factories.create_user(f"person-{number}").get_username() for number in range(_TIMED)]
    add_factors(models.User.objects.get(username=names[0]))
    try_password(holder, names[0], factories.PASSWORD)
    times: dict[str, list[tuple[float, float]]] = {}
    for number, name in enumerate(names):
        for words, do in {
            _UNKNOWN: partial(try_password, stranger, f"nobody-{number}", "wrong"),
            "a wrong password, for the first time": partial(try_password, stranger, name, "wrong"),
            "a wrong password, once more": partial(try_password, stranger, names[0], "wrong"),
            _CODE: partial(try_code, holder, WRONG["code"]),
            "a wrong recovery code": partial(try_code, holder, WRONG["recovery code"]),
        }.items():
            models.Limit.objects.filter(kind__in=_COUNTED).delete()
            begun, used = time.perf_counter(), time.process_time()
            assert do() == 200
            times.setdefault(words, []).append((time.perf_counter() - begun, time.process_time() - used))
    return show_times({words: [median(taken) for taken in zip(*every, strict=True)] for words, every in times.items()})


def show_times(times: dict[str, list[float]]) -> bool:
    heads = ["what is tried", "p50, ms", "processor, ms", "p50 beside the first of its kind", "processor beside it"]
    figures.show(*figures.write_head(heads))
    is_met = True
    for words, taken in times.items():
        beside = times[_CODE if "code" in words else _UNKNOWN]
        ratios = [one / other for one, other in zip(taken, beside, strict=True)]
        cells = [*(f"{1000 * one:.1f}" for one in taken), *(f"{ratio:.3f}" for ratio in ratios)]
        figures.show(figures.write_row([words, *cells]))
        is_met = is_met and ("code" in words or abs(ratios[0] - 1) <= _MOST_APART)
    return is_met


def count_sign_in(name: str) -> None:
    taken, browser = [], Browser(REMOTE_ADDR=ADDRESSES[0])
    for _ in range(10):
        with CaptureQueriesContext(connection) as queries:
            begun = time.process_time()
            assert try_password(browser, name, factories.PASSWORD) == 302
            taken.append(time.process_time() - begun)
        words = Counter(query["sql"].split()[0] for query in queries)
        browser.post(reverse("logout"), secure=True)
    frame = sum(words[word] for word in ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    cells = f"{words.total() - frame} statements, {words['COMMIT']} commits, {1000 * median(taken):.0f} ms of processor"
    figures.show(f"A sign-in by a known browser: {cells}.")


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


def show_guesses() -> None:
    figures.show("", *figures.write_head(["1,000 guesses, while the owner gets in", "looked at", "refused"]))
    for kind in WRONG:
        answers = guess_many(kind, count=1000)
        figures.show(figures.write_row([kind, answers[200], answers[429]]))


if __name__ == "__main__":
    setup_test_environment()
    call_command("migrate", verbosity=0)
    with override_settings(PASSWORD_HASHERS=["portal.accounts.passwords.GatedHasher"]):
        is_met = time_each()
        count_sign_in("person-1")
        show_guesses()
    sys.exit(not is_met)
