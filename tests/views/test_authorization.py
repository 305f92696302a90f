"""Who may open, and who may send to, every address there is: one that is not in the table fails."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware import csrf
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from portal import models, urls
from portal.services.notifications import choices
from portal.services.people import invitations, links
from tests import factories
from tests.services.reconciling import make_orphan, make_unknown
from tests.tokens import make_token

# The letters of each row: signed out, no group, the member whose it is, another member, auditor, operator, superuser.
ROLES = ("", "guest", "alice", "bob", "anna", "olga", "root")
# a: allowed, or refused for another reason than who it is. l: has to sign in. f: 403. n: 404. m: 405.
ALL, REQUESTERS, THEIRS = "laaaaaa", "lfaafaa", "lnanaaa"
SEES_ALL, OPERATES, ADMINISTERS = "lfffaaa", "lffffaa", "lfffffa"
NO_METHOD, NO_METHOD_ADMIN, NOBODY = "lmmmmmm", "lfffmmm", "lffffff"
NONE = "lnnnnnn"
OWN, OWN_OR_OPERATES, SHARED_TOO = "lnannnn", "lnannaa", "lnaanaa"  # bob is let in to look
FOR_PROGRAMS = ("idp:oidc:device_code", "idp:oidc:token")  # they bring no cookies
# What GET and a POST with a token get.
ROWS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (
            *("home", "home_live", "request_list", "request_list_live", "workspace_list", "usage"),
            *("failure_list", "failure_detail", "key", "key_live", "key_banner", "password_changed"),
        ),
        (ALL, NO_METHOD),
    ),
    **dict.fromkeys(
        ("request_detail", "request_live", "workstation_detail", "workstation_live", "workspace_detail"),
        (THEIRS, NO_METHOD),
    ),
    **dict.fromkeys(("request_export_csv", "request_export_jsonl", "workstation_export_csv"), (NO_METHOD, ALL)),
    **dict.fromkeys(("sessions_end", "home_dismiss"), (NO_METHOD, ALL)),
    "notifications": (ALL, ALL),
    "notification_read": (NO_METHOD, "lnannnn"),
    "notification_channels": (ADMINISTERS, ADMINISTERS),
    "unsubscribe": ("aaaaaaa", "aaaaaaa"),
    **dict.fromkeys(("request_cancel", "request_not_created", "workspace_name"), (NO_METHOD, OWN)),
    **dict.fromkeys(("workstation_release", "workstation_ended", "workstation_end"), (NO_METHOD, OWN_OR_OPERATES)),
    **{
        f"workstation_connection/{kind}": (SHARED_TOO if kind.way.is_for_looking else OWN_OR_OPERATES, NO_METHOD)
        for kind in models.Connection.HELD
    },
    "connection_open": (NO_METHOD, SHARED_TOO),
    "workstation_scripts": (OWN_OR_OPERATES, OWN_OR_OPERATES),
    **dict.fromkeys(("connection_alive", "connection_end", "share", "share_end"), (NO_METHOD, OWN)),
    **dict.fromkeys(
        (
            *("request_close", "request_evidence", "unknown_decide", "orphan_decide", "orphan_release"),
            *("orphan_disown", "key_pause", "key_resume", "key_confirm", "key_database", "key_unshared"),
        ),
        (NO_METHOD, OPERATES),
    ),
    "token_new": (ALL, ALL),
    "token_end": (NO_METHOD, OWN),
    "person_token_end": (NO_METHOD, ADMINISTERS),
    "person_token_new": ("lfffffn", "lfffffn"),  # alice is no service account
    **dict.fromkeys(("account", "confirm", "password_change", "workstation_list"), (ALL, ALL)),
    "workspace_owner": (NO_METHOD, "lffffnn"),  # it has one
    "request_new": (REQUESTERS, REQUESTERS),
    **dict.fromkeys(("unknown", "overview"), (SEES_ALL, NO_METHOD)),
    "audit_log": (SEES_ALL, NO_METHOD),
    "audit_log_check": (NO_METHOD, SEES_ALL),
    "theme": ("mmmmmmm", "aaaaaaa"),
    "setup": ("nnnnnnn", "nnnnnnn"),  # there is an administrator
    "join": ("aaaaaaa", "aaaaaaa"),
    **dict.fromkeys(("people_list", "person_detail"), (ADMINISTERS, NO_METHOD)),
    **dict.fromkeys(
        (
            *("person_details", "person_role", "person_link", "person_deactivate", "person_activate"),
            *("person_factors_reset", "person_identities_remove", "person_sign_out"),
        ),
        (NO_METHOD, ADMINISTERS),
    ),
    **dict.fromkeys(("person_add", "person_add_several", "settings"), (ADMINISTERS, ADMINISTERS)),
    "limits": (OPERATES, OPERATES),
    **dict.fromkeys(("account_login", "password_forgotten"), ("aaaaaaa", "aaaaaaa")),
    **dict.fromkeys(
        (
            *("mfa_authenticate", "mfa_login_webauthn", "mfa_activate_totp", "mfa_add_webauthn"),
            "mfa_generate_recovery_codes",
        ),
        (ALL, ALL),
    ),
    # Nobody here has a second factor.
    **dict.fromkeys(("mfa_deactivate_totp", "mfa_download_recovery_codes", "mfa_remove_webauthn"), (NONE, NONE)),
    "mfa_view_recovery_codes": (NONE, NO_METHOD),
    "logout": ("aaaaaaa", "lllllll"),
    "openid_connect_login": ("mmmmmmm", "nnnnnnn"),  # none is set
    "openid_connect_callback": ("nnnnnnn", "mmmmmmm"),
    "idp:oidc:device_authorization": (ALL, ALL),
    **dict.fromkeys(FOR_PROGRAMS, ("mmmmmmm", "aaaaaaa")),
    "healthz": ("aaaaaaa", "mmmmmmm"),
    "readyz": ("aaaaaaa", "mmmmmmm"),
    # --- The admin ---
    **dict.fromkeys(("admin/login/", "admin:login"), ("lllllll", "lllllll")),
    **dict.fromkeys(
        (
            *("admin:index", "admin:app_list", "admin:password_change", "admin:password_change_done"),
            "admin:<path:object_id>/",
        ),
        (SEES_ALL, SEES_ALL),
    ),
    "admin:logout": (NO_METHOD_ADMIN, "lffflll"),
    "admin:autocomplete": ("lfffnnn", "lfffnnn"),
    "admin:jsi18n": (SEES_ALL, NO_METHOD_ADMIN),
    "admin:view_on_site": ("lfffnnn", "lfffnnn"),
    "admin:(?P<url>.*)$": ("lfffnnn", "lfffnnn"),
    "admin:portal_seal_checkpoint": (NO_METHOD_ADMIN, SEES_ALL),
    **dict.fromkeys(
        (f"admin:portal_{kind}_export_{form}" for kind in ("request", "event") for form in ("csv", "jsonl")),
        (NO_METHOD_ADMIN, SEES_ALL),
    ),
    "admin:auth_group_history": (SEES_ALL, SEES_ALL),
    **dict.fromkeys(
        (
            *("admin:auth_group_changelist", "admin:auth_group_add", "admin:auth_group_change"),
            "admin:auth_group_delete",
        ),
        (ADMINISTERS, ADMINISTERS),
    ),
}
# Of every other kind of row the admin only shows what is there.
READ_ONLY = {
    "changelist": (SEES_ALL, SEES_ALL),
    "history": (SEES_ALL, SEES_ALL),
    "change": (SEES_ALL, NOBODY),
    "add": (NOBODY, NOBODY),
    "delete": (NOBODY, NOBODY),
}
# Where there is no row of the kind: not found, and back to the list.
NOT_THERE = {"history": ("lfffnnn", "lfffnnn"), "change": (SEES_ALL, SEES_ALL)}


def list_urls(patterns: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """The name of each pattern, or the pattern itself, with the names of its arguments."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from list_urls(pattern.url_patterns, inner)
        else:
            name, arguments = namespace + (pattern.name or str(pattern.pattern)), tuple(pattern.pattern.converters)
            # Who may open a connection depends on its kind.
            kinds = [f"/{kind}" for kind in models.Connection.HELD] if "kind" in arguments else [""]
            yield from ((name + kind, arguments) for kind in kinds)


URLS = dict(list_urls(get_resolver().url_patterns))


def find_row(name: str, *, is_there: bool = True) -> tuple[str, str]:
    kind, _, page = name.rpartition("_")
    rows = READ_ONLY if is_there else READ_ONLY | NOT_THERE
    return ROWS.get(name) or rows[page if kind.startswith("admin:portal_") else name]


def find_object(name: str) -> int | str | None:
    app, model = name.removeprefix("admin:").split("_")[:2]
    row = apps.get_model("portal" if model == "user" else app, model)._default_manager.order_by("-pk").first()
    return row.pk if row else None


def test_every_address_has_a_row_and_every_row_an_address():
    for name in URLS:
        find_row(name)
    assert ROWS.keys() <= URLS.keys()


@pytest.fixture
def values(sandbox, alice, bob, anna, olga, root) -> Mapping[str, object]:
    """Somebody in each role, and what the addresses' arguments are called: all of it alice's."""
    factories.create_user("guest")
    succeeded = factories.submit_and_settle(alice)
    models.Worker.objects.create(name="one", seen_at=timezone.now() + timedelta(days=1))
    return {
        "code": "402",
        "form": "csv",
        "number": make_unknown(sandbox, alice).pk,
        "provider_id": "acme",
        "orphan": make_orphan().uid,
        "workstation": succeeded.workstation.uid,
        "connection": succeeded.workstation.uid,
        "share": succeeded.workstation.uid,
        "share_end": models.Share.objects.create(workstation=succeeded.workstation, person=bob, level="look").pk,
        **dict.fromkeys(
            ("connection_alive", "connection_end"),
            models.Connection.objects.create(workstation=succeeded.workstation, person=alice, kind="desktop").pk,
        ),
        "workspace": factories.get_workspace(succeeded.workstation).uid,
        "key_confirm": models.Credential.objects.latest("pk").pk,
        "unsubscribe": choices.make_path(person=alice, kind="failed").split("/")[-2],
        "notification_read": models.Notification.objects.create(person=alice, kind="failed", request_number=1).pk,
        "setup": links.create_setup_link() or "none",
        "token": make_token(alice).row.pk,
        "join": invitations.make_link(actor=root, person=alice).token,
        "person": alice.pk,
        "app_label": "portal",
        "content_type_id": 1,
        "object_id": 1,
        "pk": 1,
    }


def find_path(name: str, values: Mapping[str, object]) -> str:
    unnamed = {"admin/login/": "admin/login/", "admin:(?P<url>.*)$": "admin/nowhere/"}
    if name in unnamed or name == "admin:<path:object_id>/":
        return f"/{unnamed.get(name, 'admin/portal/user/1/')}"
    if name == "admin:app_list":
        return reverse(name, args=["portal"])
    kind = name.partition("_")[0]
    special = {"uid": values.get(kind), "token": values.get(name, values["token"])}
    special["number"] = values.get(name, values["person" if kind == "person" else "number"])
    if URLS[name] in (("object_id",), ("id",)):
        special |= dict.fromkeys(URLS[name], find_object(name) or 1)
    arguments = URLS[name]
    if "kind" in arguments:
        name, _, special["kind"] = name.partition("/")
    return reverse(name, kwargs={argument: {**values, **special}[argument] for argument in arguments})


def classify(response: HttpResponseBase) -> str:
    if response.headers.get("Location", "").startswith("/accounts/login/"):
        return "l"
    status = response.status_code
    return {403: "f", 404: "n", 405: "m"}.get(status, "a" if status < 500 else f"<{status}>")


def refuse(request: HttpRequest, *args: object, status: int = 403, **kwargs: object) -> HttpResponse:
    return HttpResponse(status=status)


@pytest.fixture
def mailed(settings) -> None:
    """There is a mail server, which nobody here asks."""
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}


@pytest.fixture
def short_refusals(settings, monkeypatch) -> None:
    """What the pages for 403 and 404 say is tested elsewhere, and most of the answers here are one of them."""
    settings.CSRF_FAILURE_VIEW = f"{__name__}.refuse"
    for status in (403, 404):
        monkeypatch.setattr(urls, f"handler{status}", partial(refuse, status=status), raising=False)


class Asker(RequestFactory):
    """As Django's browser, but for the copies that it keeps of whatever templates are given."""

    handler = ClientHandler(enforce_csrf_checks=True)

    def request(self, **environ: Any) -> Any:
        return self.handler(self._base_environ(**environ))  # type: ignore[attr-defined]


BROWSER = Asker()  # one for everybody: each loads all middleware before its first request


def ask(path: str, method: str, *, session: str = "", bearer: str = "", has_token: bool = True) -> str:
    """What somebody gets; what it changed is undone."""
    BROWSER.cookies.clear()
    BROWSER.cookies.load({"sessionid": session} if session else {})
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    if has_token:
        headers["X-CSRFToken"] = secret = csrf._get_new_csrf_string()
        BROWSER.cookies["csrftoken"] = secret
    with transaction.atomic():
        response: Any = BROWSER.generic(method, path, headers=headers)
        transaction.set_rollback(True)
    response.close()  # within the transaction it would close the connection
    return classify(response)


@pytest.mark.django_db(transaction=True)
def test_everybody_gets_what_the_table_says(values, short_refusals, mailed):
    sessions = {"": ""}
    for role in ROLES[1:]:
        factories.sign_in(client := Client(), models.User.objects.get(username=role))
        sessions[role] = client.cookies["sessionid"].value
    bearers = {role: make_token(models.User.objects.get(username=role)).text for role in ("alice", "root")}
    wrong = {}
    for name in URLS:
        path = find_path(name, values)
        is_there = URLS[name] != ("object_id",) or "<" in name or find_object(name) is not None
        got = tuple("".join(ask(path, method, session=sessions[role]) for role in ROLES) for method in ("GET", "POST"))
        if got != (row := find_row(name, is_there=is_there)):
            wrong[name] = f"{got} instead of {row}"
        # Without a token nobody sends anything anywhere, but for what has one in its path.
        for role in () if name in ("unsubscribe", *FOR_PROGRAMS) else ("", "alice", "root"):
            if ask(path, "POST", session=sessions[role], has_token=False) != "f":
                wrong[f"{name} without a token"] = role
        # A program's token opens no page: who brings one is signed out.
        for role, bearer in bearers.items():
            if (by_bearer := [ask(path, method, bearer=bearer) for method in ("GET", "POST")]) != [
                row[0][0],
                row[1][0],
            ]:
                wrong[f"{name} by a program's token"] = f"{by_bearer} for {role}"
    assert wrong == {}
