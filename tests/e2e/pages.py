"""Every page of the portal and how it is reached. A name of the URL map that is nowhere here fails test_pages.py."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page as Tab


@dataclass(frozen=True, kw_only=True)
class Page:
    """One look at one address. `path` may name what is on the stage; `act` is done there before it is looked at.

    PAGES has one for each template and for each structure that it can have, but none for a text alone.
    """

    name: str
    path: str
    url: str
    person: str = "mira"
    scene: str = "active"
    status: int = 200
    act: Callable[[Tab], None] | None = None


# What the URL map has beside pages, and beside the admin. Forms lead to a page that is here.
FORMS = {
    *("home_dismiss", "notification_read", "audit_log_check", "sessions_end", "token_end", "theme", "logout"),
    *("request_cancel", "request_close", "request_not_created", "workspace_name", "workspace_owner"),
    *("workstation_release", "workstation_end", "workstation_ended", "share", "share_end"),
    *("key_confirm", "key_database", "key_unshared", "key_pause", "key_resume"),
    *("unknown_decide", "orphan_decide", "orphan_release", "orphan_disown"),
    *("person_link", "person_activate", "person_deactivate", "person_role", "person_sign_out", "person_token_end"),
    *("person_factors_reset", "person_identities_remove", "openid_connect_login", "mfa_login_webauthn"),
}
PARTS = {"home_live", "request_list_live", "request_live", "workstation_live", "key_live", "key_banner"}
DOWNLOADS = {
    *("request_evidence", "request_export_csv", "request_export_jsonl", "workstation_export_csv"),
    "mfa_download_recovery_codes",
}
FOR_PROGRAMS = {
    *("connection_open", "connection_alive", "connection_end", "healthz", "readyz"),
    *("idp:oidc:device_code", "idp:oidc:token"),
}
ELSEWHERE = {"workstation_connection": "test_connections.py", "admin/login/": "leads to login"}
NO_PAGES = FORMS | PARTS | DOWNLOADS | FOR_PROGRAMS | ELSEWHERE.keys()


_NO_DOWNLOAD = ":not([action*=evidence], [action*=export], [action*=sessions], [action*=logout], [data-passkey])"


def send_empty(tab: Tab) -> None:
    """Send the page's form as it is, whatever the browser thinks of it."""
    with tab.expect_navigation():
        form = tab.locator(f"main form[method=post]{_NO_DOWNLOAD}").last
        form.evaluate("form => { form.noValidate = true; form.submit(); }")


def make_token(tab: Tab) -> None:
    tab.locator("[name=name]").fill("nightly build")
    tab.locator("[name=scopes]").first.check()
    send_empty(tab)


def make_token_and_return(tab: Tab) -> None:
    make_token(tab)
    with tab.expect_navigation():
        tab.locator("main a.crumb").click()


def type_device_code(tab: Tab) -> None:
    tab.locator("[name=code]").fill("bcdfghjk")
    send_empty(tab)


def type_password(tab: Tab) -> None:
    """frida's, after whom a code is asked for."""
    tab.locator("[name=username]").fill("frida")
    tab.locator("[name=password]").fill("correct horse battery staple")
    send_empty(tab)


def mistype_mail(tab: Tab) -> None:
    tab.locator("[name=email]").fill("nobody")
    with tab.expect_navigation():
        tab.get_by_role("button", name="Save").click()


def add_person(tab: Tab) -> None:
    tab.locator("[name=username]").fill("ines-who-has-a-name-longer-than-most")
    tab.locator("[name=role]").first.check()
    send_empty(tab)


def add_people(tab: Tab) -> None:
    tab.locator("[name=people]").fill("lars,,,member\nlena,,,auditor")
    send_empty(tab)


def send_without_token(tab: Tab) -> None:
    tab.context.clear_cookies(name="csrftoken")
    send_empty(tab)


def open_main(tab: Tab) -> None:
    """Of the page itself: the menus would lie over it."""
    tab.evaluate("for (const details of document.querySelectorAll('main details')) details.open = true")


def open_all(tab: Tab) -> None:
    """Unfold whatever is folded."""
    tab.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")


def open_menu(tab: Tab) -> None:
    """As on a phone: on a wide screen the menu is always open."""
    tab.locator(".menu").evaluate("menu => menu.open = true")


def _list_requests() -> list[Page]:
    return [
        *(_show_request(name) for name in ("queued", "sending", "unknown", "stuck", "closed")),
        _show_request("failed", key="no-answer"),
        _show_request("unknown-operator", key="unknown", person="olga"),
        _show_request("others", key="402", person="anna"),
        Page(name="request-succeeded", path="/requests/1/", url="request_detail", person="olga"),
    ]


def _show_request(name: str, key: str = "", **values: Any) -> Page:
    path = "/requests/{r_" + (key or name).replace("-", "_") + "}/"
    return Page(name=f"request-{name}", path=path, url="request_detail", **values)


def _list_keys() -> list[Page]:
    operators = ("active", "paused 402", "paused new-key", "paused database-moved", "no-worker", "shared")
    return [
        *(_show_key(scene) for scene in ("paused 503", "resuming 402")),
        *(_show_key(scene, person="olga") for scene in operators),
    ]


def _show_key(scene: str, person: str = "mira") -> Page:
    return Page(name=f"key-{scene.replace(' ', '-')}-{person}", path="/key/", url="key", scene=scene, person=person)


def _show_workspace(name: str, key: str, **values: Any) -> Page:
    return Page(name=name, path=f"/workspaces/{{{key}}}/", url="workspace_detail", **values)


def _show_person(name: str, *, part: str = "", **values: Any) -> Page:
    return Page(name=name, path=f"/people/{{number}}/{part}", person="root", **values)


PAGES = [
    # --- Signed out ---
    Page(name="login", path="/accounts/login/", url="account_login", person=""),
    Page(name="forgotten", path="/accounts/forgotten/", url="password_forgotten", person=""),
    Page(name="code", path="/accounts/login/", url="mfa_authenticate", person="", act=type_password),
    Page(
        name="oidc-refused", path="/accounts/oidc/acme/callback/", url="openid_connect_callback", person="", status=400
    ),
    Page(name="setup", path="/setup/{token}/", url="setup", person="", scene="set-up"),
    Page(name="join", path="/join/{token}/", url="join", person="", scene="invited"),
    *[
        Page(name=name, path="/notifications/unsubscribe/{unsubscribe}/", url="unsubscribe", person="", act=act)
        for name, act in (("unsubscribe", None), ("unsubscribed", send_empty))
    ],
    Page(name="not-found-signed-out", path="/nowhere/", url="", person="", status=404),
    # --- A member's ---
    Page(name="home", path="/", url="home"),
    Page(name="home-ended", path="/?show=ended", url="home"),
    Page(name="home-shared", path="/?show=shared", url="home"),
    Page(name="home-account", path="/", url="home", person="olga", act=open_all),
    Page(name="home-menu", path="/", url="home", person="olga", act=open_menu),
    Page(name="request-new", path="/requests/new/", url="request_new"),
    Page(name="request-new-refused", path="/requests/new/", url="request_new", act=send_empty),
    Page(name="request-new-at-limit", path="/requests/new/", url="request_new", scene="limited 2"),
    *_list_requests(),
    Page(name="history-searched", path="/requests/?q=credits&longer=1&sort=oldest&unknown=", url="request_list"),
    Page(name="history-search-refused", path="/requests/?q=a+%25&longer=soon", url="request_list"),
    Page(name="workstations", path="/workstations/", url="workstation_list"),
    Page(name="scripts", path="/workstations/{active}/scripts/", url="workstation_scripts"),
    *[
        Page(name=f"workstation-{name}", path=f"/workstations/{{{name}}}/", url="workstation_detail", act=act)
        for name, act in [
            ("active", None),
            ("ended", None),
            ("refused", None),
            ("missing", open_all),
            ("strange", open_all),
        ]
    ],
    _show_workspace("workspace", "workspace", act=open_main),
    _show_workspace("workspace-empty", "empty"),
    Page(name="failures", path="/failures/", url="failure_list"),
    Page(name="failure", path="/failures/402/", url="failure_detail"),
    Page(name="notifications", path="/notifications/", url="notifications"),
    Page(name="account-app", path="/accounts/", url="account", person="frida"),
    Page(name="account-passkey", path="/accounts/", url="account", person="root"),
    Page(name="account-tokens", path="/accounts/tokens/new/", url="account", act=make_token_and_return),
    Page(name="token-new", path="/accounts/tokens/new/", url="token_new"),
    Page(name="token-made", path="/accounts/tokens/new/", url="token_new", act=make_token),
    Page(name="device", path="/accounts/device/", url="idp:oidc:device_authorization"),
    Page(
        name="device-asked",
        path="/accounts/device/",
        url="idp:oidc:device_authorization",
        scene="device",
        act=type_device_code,
    ),
    Page(name="app-add", path="/accounts/app/", url="mfa_activate_totp"),
    Page(name="app-remove", path="/accounts/app/remove/", url="mfa_deactivate_totp", person="frida"),
    Page(name="passkey-add", path="/accounts/passkeys/new/", url="mfa_add_webauthn"),
    Page(name="passkey-remove", path="/accounts/passkeys/77/remove/", url="mfa_remove_webauthn", person="root"),
    Page(name="codes", path="/accounts/codes/", url="mfa_view_recovery_codes", person="frida"),
    Page(name="codes-new", path="/accounts/codes/new/", url="mfa_generate_recovery_codes", person="frida"),
    Page(name="password", path="/accounts/password/", url="password_change"),
    Page(name="password-changed", path="/accounts/password/changed/", url="password_changed"),
    Page(name="confirm", path="/accounts/confirm/", url="confirm", person="root"),
    Page(name="usage-all", path="/usage/", url="usage", person="olga"),
    # --- Who has nothing yet ---
    Page(name="home-empty", path="/", url="home", person="nils"),
    Page(name="home-guest", path="/", url="home", person="guest"),
    Page(name="history-empty", path="/requests/", url="request_list", person="nils"),
    # --- Operators' and auditors' ---
    Page(name="overview", path="/overview/", url="overview", person="olga"),
    Page(name="overview-auditor", path="/overview/", url="overview", person="anna"),
    Page(name="history-all", path="/requests/", url="request_list", person="olga"),
    Page(name="workstations-all", path="/workstations/", url="workstation_list", person="olga"),
    Page(name="workspaces-all", path="/workspaces/", url="workspace_list", person="olga"),
    Page(name="workstation-elsewhere", path="/workstations/{elsewhere}/", url="workstation_detail", person="olga"),
    Page(name="unknown", path="/unknown/", url="unknown", person="olga"),
    Page(name="unknown-doubtful", path="/unknown/", url="unknown", person="olga", scene="doubtful", act=open_main),
    _show_workspace("workspace-doubtful", "workspace", person="olga", scene="doubtful"),
    Page(name="limits", path="/limits/", url="limits", person="olga", scene="limited 2"),
    # --- Administrators' ---
    Page(name="settings", path="/settings/", url="settings", person="root"),
    Page(name="channels", path="/notifications/channels/", url="notification_channels", person="root"),
    Page(name="people", path="/people/", url="people_list", person="root", scene="invited"),
    Page(name="person-add", path="/people/new/", url="person_add", person="root"),
    Page(name="person-add-refused", path="/people/new/", url="person_add", person="root", act=send_empty),
    Page(name="person-added", path="/people/new/", url="person_add", person="root", act=add_person),
    Page(name="people-add", path="/people/new/several/", url="person_add_several", person="root"),
    Page(name="people-added", path="/people/new/several/", url="person_add_several", person="root", act=add_people),
    _show_person("person", url="person_detail", scene="invited"),
    _show_person("person-refused", url="person_details", scene="invited", act=mistype_mail),
    _show_person("service", url="person_detail", scene="service"),
    _show_person("service-token-new", part="tokens/new/", url="person_token_new", scene="service"),
    Page(name="unknown-refused", path="/unknown/", url="unknown", person="olga", act=send_empty),
    Page(name="unknown-auditor", path="/unknown/", url="unknown", person="anna", act=open_main),
    # --- The key ---
    *_list_keys(),
    Page(name="audit-log-check", path="/audit-log/", url="audit_log", person="anna"),
    Page(name="audit-log-check-not-intact", path="/audit-log/", url="audit_log", person="anna", scene="not-intact"),
    Page(name="overview-not-intact", path="/overview/", url="overview", person="anna", scene="not-intact"),
    Page(name="home-paused", path="/", url="home", scene="paused 402"),
    Page(name="request-waiting", path="/requests/{r_queued}/", url="request_detail", scene="paused 402"),
    # --- What went wrong ---
    Page(name="refused", path="/unknown/", url="unknown", status=403),
    Page(name="not-found", path="/nowhere/", url="", status=404),
    Page(name="form-too-old", path="/requests/new/", url="request_new", act=send_without_token),
    Page(name="wrong-host", path="http://portal.localhost:{port}/", url="", person="", status=400),
    Page(name="join-used", path="/join/no-such-token/", url="join", person="", status=404),
    Page(name="broken", path="/", url="home", scene="broken", status=500),
    Page(name="away", path="/", url="home", scene="away", status=503),
]
# Of the admin, which is Django's, one of each kind.
ADMIN = [
    Page(name="admin", path="/admin/", url="admin:index", person="root"),
    Page(name="admin-list", path="/admin/portal/request/", url="admin:portal_request_changelist", person="root"),
    Page(name="admin-row", path="/admin/portal/request/1/change/", url="admin:portal_request_change", person="root"),
    Page(name="admin-history", path="/admin/portal/request/1/history/", url="", person="root"),
    Page(name="admin-group", path="/admin/auth/group/add/", url="admin:auth_group_add", person="root"),
]
