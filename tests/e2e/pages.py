"""Every page of the portal and how it is reached. A name of the URL map that is nowhere here fails test_pages.py."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page as Tab


@dataclass(frozen=True, kw_only=True)
class Page:
    """One look at one address. `path` may name what is on the stage; `act` is done there before it is looked at."""

    name: str
    path: str
    url: str
    person: str = "mira"
    scene: str = "active"
    status: int = 200
    act: Callable[[Tab], None] | None = None


# The catalogue's codes, and those of them that hold the key: Django is not set up here. A test compares them.
HOLDING = (
    "401",
    "402",
    "429",
    "500",
    "503",
    "no-connection",
    "no-answer",
    "unreadable",
    "not-sent",
    "other",
    "by-operator",
)
CODES = (*HOLDING, "400", "422", "waited-too-long")
# The pages of the other codes are the same with another text. One that pauses, one that is the person's, one unknown.
LOOKED_AT = ("402", "422", "no-answer")
# What the URL map has beside pages.
NO_PAGES = {
    "request_evidence": "a download",
    "request_export_csv": "a download",
    "request_export_jsonl": "a download",
    "workstation_export_csv": "a download",
    "admin:portal_request_export_csv": "a download",
    "admin:portal_request_export_jsonl": "a download",
    "admin:portal_event_export_csv": "a download",
    "admin:portal_event_export_jsonl": "a download",
    "admin:portal_seal_checkpoint": "a download",
    "home_live": "a part of home",
    "home_dismiss": "POST; leads to home",
    "request_list_live": "a part of request_list",
    "request_live": "a part of request_detail",
    "workstation_live": "a part of workstation_detail",
    "key_live": "a part of key",
    "key_banner": "a part of every page",
    "audit_log_check": "POST; leads to audit_log",
    "sessions_end": "POST; leads to account",
    "token_end": "POST; leads to account",
    "person_token_end": "POST; leads to person_detail",
    "request_cancel": "POST; leads to request_detail",
    "workspace_name": "POST; leads to workspace_detail",
    "workspace_owner": "POST; leads to workspace_detail",
    "request_close": "POST; leads to request_detail, with an error as the page request-close-refused",
    "workstation_release": "POST; leads to workstation_detail",
    "workstation_end": "POST; leads to workstation_detail",
    "workstation_ended": "POST; leads to workstation_detail",
    "workstation_connection": "looked at while it holds a connection",
    **dict.fromkeys(("connection_open", "connection_alive", "connection_end"), "JSON"),
    "share": "POST; leads to workstation_detail",
    "share_end": "POST; leads to workstation_detail",
    "key_confirm": "POST; leads to key",
    "key_database": "POST; leads to key",
    "key_unshared": "POST; leads to key",
    "key_pause": "POST; leads to key, with an error as the page key-pause-refused",
    "key_resume": "POST; leads to key",
    "unknown_decide": "POST; leads to unknown, with an error as the page unknown-refused",
    "orphan_decide": "POST; leads to unknown",
    "orphan_release": "POST; leads to unknown",
    "orphan_disown": "POST; leads to unknown",
    "request_not_created": "POST; leads to request_detail",
    "person_link": "POST; shows what the page person-added does",
    "person_deactivate": "POST; leads to person_detail",
    "person_activate": "POST; leads to person_detail",
    "person_details": "POST; leads to person_detail, with an error as the page person-details-refused",
    "person_role": "POST; leads to person_detail",
    "person_factors_reset": "POST; leads to person_detail",
    "person_sign_out": "POST; leads to person_detail",
    "person_identities_remove": "POST; leads to person_detail",
    "openid_connect_login": "POST; leads to the identity provider",
    "mfa_login_webauthn": "JSON, and POST; leads home",
    "mfa_download_recovery_codes": "a download",
    "notification_read": "POST; leads to what it is about",
    "theme": "POST; leads back",
    "idp:oidc:device_code": "JSON",
    "idp:oidc:token": "JSON",
    "logout": "POST; leads to login",
    "healthz": "for machines",
    "readyz": "for machines",
    "admin/login/": "leads to login",
    "admin:login": "leads to login",
    "admin:logout": "leads to login",
    "admin:app_list": "leads to admin:index",
    "admin:password_change": "leads to password_change",
    "admin:password_change_done": "leads to password_changed",
    "admin:autocomplete": "JSON",
    "admin:jsi18n": "JavaScript",
    "admin:view_on_site": "leads away",
    "admin:<path:object_id>/": "leads to a change form",
    "admin:(?P<url>.*)$": "not found",
}
# Groups are made in the admin. All else there is a record that is only read.
ADMIN_KINDS = ("_changelist", "_change", "_history")
ADMIN_FORMS = ("admin:index", "admin:auth_group_add")
ADMIN_REFUSED = ("_add", "_delete")


def is_admin_page(name: str) -> bool:
    return name in ADMIN_FORMS or name.endswith(ADMIN_KINDS)


def is_refused_in_admin(name: str) -> bool:
    return name.startswith("admin:") and name.endswith(ADMIN_REFUSED) and not is_admin_page(name)


_NO_DOWNLOAD = ":not([action*=evidence], [action*=export], [action*=sessions], [action*=logout], [data-passkey])"


def send_empty(tab: Tab) -> None:
    """Send the page's form as it is, whatever the browser thinks of it."""
    with tab.expect_navigation():
        form = tab.locator(f"main form[method=post]{_NO_DOWNLOAD}").last
        form.evaluate("form => { form.noValidate = true; form.submit(); }")


def guess(tab: Tab) -> None:
    """Try a name and a password that do not belong together."""
    tab.locator("[name=username]").fill("nobody")
    tab.locator("[name=password]").fill("wrong")
    send_empty(tab)


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


def mistype_code(tab: Tab) -> None:
    if tab.locator("[name=username]").count():  # else this browser is asked for the code already
        type_password(tab)
    tab.locator("[name=code]").fill("12345")
    send_empty(tab)


def mistype_mail(tab: Tab) -> None:
    tab.locator("[name=email]").fill("nobody")
    with tab.expect_navigation():
        tab.get_by_role("button", name="Save").click()


def mistype_limit(tab: Tab) -> None:
    tab.locator("[name=running]").fill("")
    send_empty(tab)


def add_person(tab: Tab) -> None:
    tab.locator("[name=username]").fill("ines-who-has-a-name-longer-than-most")
    tab.locator("[name=role]").first.check()
    send_empty(tab)


def add_people(tab: Tab) -> None:
    tab.locator("[name=people]").fill("lars,,,member\nlena,,,auditor")
    send_empty(tab)


def send_wrong_zone(tab: Tab) -> None:
    tab.locator("[name=time_zone]").evaluate(
        "field => { field.append(new Option('Nowhere')); field.value = 'Nowhere'; }"
    )
    send_empty(tab)


def send_without_token(tab: Tab) -> None:
    tab.context.clear_cookies(name="csrftoken")
    send_empty(tab)


def request_one(tab: Tab) -> None:
    tab.locator("[name=type]").first.check()
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
    states = ("queued", "sending", "retrying", "unknown", "stuck", "unwanted", "cancelled", "settled", "closed")
    return [
        *(_show_request(name) for name in states),
        *(_show_request(f"failed-{code}", key=code) for code in LOOKED_AT),
        _show_request("unknown-operator", key="unknown", person="olga"),
        _show_request("close-refused", key="unknown", person="olga", act=send_empty),
        _show_request("others", key="402", person="anna"),
        Page(name="request-succeeded", path="/requests/1/", url="request_detail", person="olga"),
        Page(name="request-reload", path="/requests/{r_queued}/?reload=10", url="request_detail"),
    ]


def _show_request(name: str, key: str = "", **values: Any) -> Page:
    path = "/requests/{r_" + (key or name).replace("-", "_") + "}/"
    return Page(name=f"request-{name}", path=path, url="request_detail", **values)


def _show_failure(code: str) -> Page:
    return Page(name=f"failure-{code}", path=f"/failures/{code}/", url="failure_detail")


OPERATORS = ("active", "paused 402", "paused new-key", "paused database-moved", "no-worker", "shared")


def _list_keys() -> list[Page]:
    pages = [_show_key(f"paused {cause}") for cause in ("402", "new-key", "database-moved")]
    pages += [_show_key(scene) for scene in ("resuming 402", "no-worker")]
    pages += [_show_key(scene, person="olga") for scene in OPERATORS]
    pages.append(Page(name="key-pause-refused", path="/key/", url="key", person="olga", act=send_empty))
    return pages


def _show_key(scene: str, person: str = "mira") -> Page:
    return Page(name=f"key-{scene.replace(' ', '-')}-{person}", path="/key/", url="key", scene=scene, person=person)


PAGES = [
    # --- Signed out ---
    Page(name="login", path="/accounts/login/", url="account_login", person=""),
    Page(name="login-refused", path="/accounts/login/", url="account_login", person="", act=send_empty),
    Page(name="login-blocked", path="/accounts/login/", url="account_login", person="", scene="guessed", act=guess),
    Page(name="forgotten", path="/accounts/forgotten/", url="password_forgotten", person=""),
    Page(name="forgotten-refused", path="/accounts/forgotten/", url="password_forgotten", person="", act=send_empty),
    Page(name="code", path="/accounts/login/", url="mfa_authenticate", person="", act=type_password),
    Page(name="code-refused", path="/accounts/login/", url="mfa_authenticate", person="", act=mistype_code),
    Page(
        name="oidc-refused", path="/accounts/oidc/acme/callback/", url="openid_connect_callback", person="", status=400
    ),
    Page(name="setup", path="/setup/{token}/", url="setup", person="", scene="set-up"),
    Page(name="setup-refused", path="/setup/{token}/", url="setup", person="", scene="set-up", act=send_empty),
    Page(name="join", path="/join/{token}/", url="join", person="", scene="invited"),
    Page(name="join-refused", path="/join/{token}/", url="join", person="", scene="invited", act=send_empty),
    Page(name="unsubscribe", path="/notifications/unsubscribe/{unsubscribe}/", url="unsubscribe", person=""),
    Page(
        name="unsubscribed",
        path="/notifications/unsubscribe/{unsubscribe}/",
        url="unsubscribe",
        person="",
        act=send_empty,
    ),
    Page(name="unsubscribe-wrong", path="/notifications/unsubscribe/x/", url="unsubscribe", person="", status=404),
    Page(name="not-found-signed-out", path="/nowhere/", url="", person="", status=404),
    # --- A member's ---
    Page(name="home", path="/", url="home"),
    Page(name="home-account", path="/", url="home", person="olga", act=open_all),
    Page(name="home-menu", path="/", url="home", person="olga", act=open_menu),
    Page(name="request-new", path="/requests/new/", url="request_new"),
    Page(name="request-new-refused", path="/requests/new/", url="request_new", act=send_empty),
    Page(name="request-new-again", path="/requests/new/?again={r_422}", url="request_new"),
    Page(name="request-new-limited", path="/requests/new/", url="request_new", person="nils", scene="limited 2"),
    Page(name="request-new-at-limit", path="/requests/new/", url="request_new", scene="limited 2", act=request_one),
    *_list_requests(),
    Page(name="history", path="/requests/", url="request_list"),
    Page(name="history-older", path="/requests/?before=60", url="request_list"),
    Page(name="history-filtered", path="/requests/?status=FAILED&type=python&since=2020-01-01", url="request_list"),
    Page(name="history-searched", path="/requests/?q=credits&longer=1&sort=oldest&unknown=", url="request_list"),
    Page(name="history-search-refused", path="/requests/?q=a+%25&longer=soon", url="request_list"),
    Page(name="history-refused", path="/requests/?status=nonsense", url="request_list"),
    Page(name="history-none", path="/requests/?type=voip&status=UNKNOWN", url="request_list"),
    Page(name="history-end", path="/requests/?before=1", url="request_list"),
    Page(name="workstations", path="/workstations/", url="workstation_list"),
    Page(name="scripts", path="/workstations/{active}/scripts/", url="workstation_scripts"),
    *[
        Page(name=f"workstation-{name}", path=f"/workstations/{{{name}}}/", url="workstation_detail", act=act)
        for name, act in [
            ("active", None),
            ("ended", None),
            ("errored", None),
            ("leaving", None),
            ("refused", None),
            ("missing", open_all),
            ("strange", open_all),
        ]
    ],
    Page(name="workspaces", path="/workspaces/", url="workspace_list"),
    Page(name="workspace", path="/workspaces/{workspace}/", url="workspace_detail", act=open_main),
    Page(name="workspace-empty", path="/workspaces/{empty}/", url="workspace_detail"),
    Page(name="failures", path="/failures/", url="failure_list"),
    *(_show_failure(code) for code in LOOKED_AT),
    Page(name="notifications", path="/notifications/", url="notifications"),
    Page(name="notifications-empty", path="/notifications/", url="notifications", person="nils"),
    Page(name="account", path="/accounts/", url="account"),
    Page(name="account-refused", path="/accounts/", url="account", act=send_wrong_zone),
    Page(name="account-app", path="/accounts/", url="account", person="frida"),
    Page(name="account-passkey", path="/accounts/", url="account", person="root"),
    Page(name="account-tokens", path="/accounts/tokens/new/", url="account", act=make_token_and_return),
    Page(name="token-new", path="/accounts/tokens/new/", url="token_new"),
    Page(name="token-new-refused", path="/accounts/tokens/new/", url="token_new", act=send_empty),
    Page(name="token-made", path="/accounts/tokens/new/", url="token_new", act=make_token),
    Page(name="device", path="/accounts/device/", url="idp:oidc:device_authorization"),
    Page(name="device-refused", path="/accounts/device/", url="idp:oidc:device_authorization", act=send_empty),
    Page(
        name="device-asked",
        path="/accounts/device/",
        url="idp:oidc:device_authorization",
        scene="device",
        act=type_device_code,
    ),
    Page(name="app-add", path="/accounts/app/", url="mfa_activate_totp"),
    Page(name="app-add-refused", path="/accounts/app/", url="mfa_activate_totp", act=send_empty),
    Page(name="app-remove", path="/accounts/app/remove/", url="mfa_deactivate_totp", person="frida"),
    Page(name="passkey-add", path="/accounts/passkeys/new/", url="mfa_add_webauthn"),
    Page(name="passkey-remove", path="/accounts/passkeys/77/remove/", url="mfa_remove_webauthn", person="root"),
    Page(name="codes", path="/accounts/codes/", url="mfa_view_recovery_codes", person="frida"),
    Page(name="codes-new", path="/accounts/codes/new/", url="mfa_generate_recovery_codes", person="frida"),
    Page(name="codes-new-refused", path="/accounts/codes/new/", url="mfa_generate_recovery_codes", act=send_empty),
    Page(name="password", path="/accounts/password/", url="password_change"),
    Page(name="password-refused", path="/accounts/password/", url="password_change", act=send_empty),
    Page(name="password-changed", path="/accounts/password/changed/", url="password_changed"),
    Page(name="confirm", path="/accounts/confirm/", url="confirm", person="root"),
    Page(name="confirm-refused", path="/accounts/confirm/", url="confirm", person="root", act=send_empty),
    Page(name="usage", path="/usage/", url="usage"),
    Page(name="usage-all", path="/usage/", url="usage", person="olga"),
    Page(name="usage-empty", path="/usage/", url="usage", person="nils"),
    # --- Who has nothing yet ---
    Page(name="home-empty", path="/", url="home", person="nils"),
    Page(name="home-guest", path="/", url="home", person="guest"),
    Page(name="home-auditor", path="/", url="home", person="anna"),
    Page(name="request-new-empty", path="/requests/new/", url="request_new", person="nils"),
    Page(name="history-empty", path="/requests/", url="request_list", person="nils"),
    Page(name="workstations-empty", path="/workstations/", url="workstation_list", person="nils"),
    Page(name="workspaces-empty", path="/workspaces/", url="workspace_list", person="nils"),
    # --- Operators' and auditors' ---
    Page(name="history-all", path="/requests/", url="request_list", person="olga"),
    Page(name="workstations-all", path="/workstations/", url="workstation_list", person="olga"),
    Page(name="workstations-ran", path="/workstations/?since=2020-01-01T00:00", url="workstation_list", person="anna"),
    Page(name="workspaces-all", path="/workspaces/", url="workspace_list", person="olga"),
    Page(name="workstation-elsewhere", path="/workstations/{elsewhere}/", url="workstation_detail", person="olga"),
    Page(name="unknown", path="/unknown/", url="unknown", person="olga"),
    Page(name="unknown-doubtful", path="/unknown/", url="unknown", person="olga", scene="doubtful", act=open_main),
    Page(
        name="workspace-doubtful",
        path="/workspaces/{workspace}/",
        url="workspace_detail",
        person="olga",
        scene="doubtful",
    ),
    Page(name="unknown-decide", path="/unknown/", url="unknown", person="olga", act=open_main),
    Page(name="limits", path="/limits/", url="limits", person="olga", scene="limited 2"),
    Page(name="limits-refused", path="/limits/", url="limits", person="olga", act=send_empty),
    # --- Administrators' ---
    Page(name="settings", path="/settings/", url="settings", person="root"),
    Page(name="settings-refused", path="/settings/", url="settings", person="root", act=mistype_limit),
    Page(name="channels", path="/notifications/channels/", url="notification_channels", person="root"),
    Page(name="people", path="/people/", url="people_list", person="root", scene="invited"),
    Page(name="people-none", path="/people/?name=nobody", url="people_list", person="root"),
    Page(name="people-refused", path=f"/people/?name={'n' * 151}", url="people_list", person="root"),
    Page(name="person-add", path="/people/new/", url="person_add", person="root"),
    Page(name="person-add-refused", path="/people/new/", url="person_add", person="root", act=send_empty),
    Page(name="person-added", path="/people/new/", url="person_add", person="root", act=add_person),
    Page(name="people-add", path="/people/new/several/", url="person_add_several", person="root"),
    Page(
        name="people-add-refused", path="/people/new/several/", url="person_add_several", person="root", act=send_empty
    ),
    Page(name="people-added", path="/people/new/several/", url="person_add_several", person="root", act=add_people),
    Page(name="person", path="/people/{number}/", url="person_detail", person="root", scene="invited"),
    Page(
        name="person-details-refused",
        path="/people/{number}/",
        url="person_details",
        person="root",
        scene="invited",
        act=mistype_mail,
    ),
    Page(name="service", path="/people/{number}/", url="person_detail", person="root", scene="service"),
    Page(
        name="service-token-new",
        path="/people/{number}/tokens/new/",
        url="person_token_new",
        person="root",
        scene="service",
    ),
    Page(name="person-out", path="/people/{number}/", url="person_detail", person="root", scene="locked-out"),
    Page(name="unknown-refused", path="/unknown/", url="unknown", person="olga", act=send_empty),
    Page(name="unknown-auditor", path="/unknown/", url="unknown", person="anna", act=open_main),
    # --- The key ---
    *_list_keys(),
    Page(name="audit-log-check", path="/audit-log/", url="audit_log", person="anna"),
    Page(name="audit-log-check-not-intact", path="/audit-log/", url="audit_log", person="anna", scene="not-intact"),
    Page(name="home-not-intact", path="/", url="home", person="anna", scene="not-intact"),
    Page(name="home-paused", path="/", url="home", scene="paused 402"),
    Page(name="request-new-paused", path="/requests/new/", url="request_new", scene="paused 402"),
    Page(name="request-waiting", path="/requests/{r_queued}/", url="request_detail", scene="paused 402"),
    # --- What went wrong ---
    Page(name="refused", path="/unknown/", url="unknown", status=403),
    Page(name="not-found", path="/nowhere/", url="", status=404),
    Page(name="form-too-old", path="/requests/new/", url="request_new", act=send_without_token),
    Page(name="wrong-host", path="http://portal.localhost:{port}/", url="", person="", status=400),
    Page(name="setup-used", path="/setup/no-such-token/", url="setup", person="", status=404),
    Page(name="join-used", path="/join/no-such-token/", url="join", person="", status=404),
    Page(name="broken", path="/", url="home", scene="broken", status=500),
    Page(name="away", path="/", url="home", scene="away", status=503),
]
# They differ from others above in nothing but a text.
TEXTS = [
    *(_show_request(f"failed-{code}", key=code) for code in CODES if code not in LOOKED_AT),
    *(_show_failure(code) for code in CODES if code not in LOOKED_AT),
    *(_show_key(f"paused {code}") for code in HOLDING if code != "402"),
]
