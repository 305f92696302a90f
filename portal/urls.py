"""The portal's addresses."""

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import path
from django.views.generic import RedirectView

from portal.views import (
    account,
    evidence,
    export,
    failure_pages,
    health,
    home,
    key,
    requests,
    setup,
    theme,
    unknown,
    usage,
    workspaces,
    workstations,
)

urlpatterns = [
    path("", home.show, name="home"),
    path("live/", home.live_home, name="home_live"),
    path("requests/", requests.index, name="request_list"),
    path("requests/live/", requests.live_rows, name="request_list_live"),
    path("requests/export.csv", export.download, {"form": "csv"}, name="request_export_csv"),
    path("requests/export.jsonl", export.download, {"form": "jsonl"}, name="request_export_jsonl"),
    path("requests/new/", requests.new, name="request_new"),
    path("requests/<int:number>/", requests.detail, name="request_detail"),
    path("requests/<int:number>/live/", requests.live_one, name="request_live"),
    path("requests/<int:number>/cancel/", requests.cancel, name="request_cancel"),
    path("requests/<int:number>/not-created/", requests.declare_not_created, name="request_not_created"),
    path("requests/<int:number>/close/", requests.close, name="request_close"),
    path("requests/<int:number>/evidence.json", evidence.download, name="request_evidence"),
    path("workstations/", workstations.index, name="workstation_list"),
    path("workstations/<str:uid>/", workstations.detail, name="workstation_detail"),
    path("workstations/<str:uid>/live/", workstations.live_one, name="workstation_live"),
    path("workstations/<str:uid>/release/", workstations.release, name="workstation_release"),
    path("workstations/<str:uid>/ended/", workstations.declare_ended, name="workstation_ended"),
    path("workspaces/", workspaces.index, name="workspace_list"),
    path("workspaces/<str:uid>/", workspaces.detail, name="workspace_detail"),
    path("workspaces/<str:uid>/name/", workspaces.name, name="workspace_name"),
    path("usage/", usage.show, name="usage"),
    path("failures/", failure_pages.index, name="failure_list"),
    path("failures/<str:code>/", failure_pages.detail, name="failure_detail"),
    path("key/", key.show, name="key"),
    path("key/live/", key.live_key, name="key_live"),
    path("key/banner/", key.live_banner, name="key_banner"),
    path("key/account/<int:number>/", key.confirm, name="key_confirm"),
    path("key/database/", key.confirm_database, name="key_database"),
    path("unknown/", unknown.index, name="unknown"),
    path("unknown/<int:number>/", unknown.decide, name="unknown_decide"),
    path("unknown/notices/<int:number>/acknowledge/", unknown.acknowledge, name="notice_acknowledge"),
    path("unknown/orphans/<str:uid>/release/", unknown.release, name="orphan_release"),
    path("unknown/orphans/<str:uid>/disown/", unknown.disown, name="orphan_disown"),
    path("key/resume/", key.resume, name="key_resume"),
    path("theme/", theme.choose, name="theme"),
    path("setup/<str:token>/", setup.create, name="setup"),
    path("accounts/", account.show, name="account"),
    path("accounts/login/", account.SignIn.as_view(), name="login"),
    path("accounts/logout/", account.SignOut.as_view(), name="logout"),
    path("accounts/confirm/", account.confirm, name="confirm"),
    path("accounts/sessions/end/", account.end_sessions, name="sessions_end"),
    path("accounts/password/", account.ChangePassword.as_view(), name="password_change"),
    path(
        "accounts/password/changed/",
        auth_views.PasswordChangeDoneView.as_view(template_name="accounts/password_changed.html"),
        name="password_changed",
    ),
    # The admin has no sign-in of its own: one door, one look.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

handler500 = "portal.views.errors.server_error"
