"""An ordinary day of a small team, for README's pictures: nothing has failed, nothing needs anybody."""

from datetime import timedelta
from uuid import uuid4

from portal import models
from portal.services.key import accounts
from tests import factories
from tests.e2e.stage import rows

_DONE = (
    *(("mira", "python", "Weekly report", 7.2, 2.4), ("nils", "chromium", "Check the new sign-in page", 6.1, 0.7)),
    *(("mira", "meet-chromium", "Stand-up", 5.5, 0.4), ("olga", "golang", "Build of the importer", 4.3, 1.1)),
)
_RUNNING = (
    *(("nils", "nodejs", "Preview of the shop", 3.0), ("mira", "max", "Training material", 1.6)),
    *(("olga", "chromium", "Interview on Friday", 0.9), ("mira", "python", "Monthly figures", 0.4)),
)


def create_day() -> dict[str, models.User]:
    """Requests since the morning, with what runs now and what has ended; all of mira's python in one workspace."""
    people = {name: factories.create_user(name, "Operators" if name == "olga" else "Members") for name in _NAMES}
    figures = _create_workspace(people["mira"], "figures")
    for name, kind, note, hours, lasted in [*_DONE, *((*one, None) for one in _RUNNING)]:
        is_mine = name == "mira" and kind == "python"
        workspace = figures if is_mine else _create_workspace(people[name], "")
        _create_workstation(people[name], kind, note, hours=hours, lasted=lasted, workspace=workspace)
    rows.create_types(strange=False)
    rows.seal()
    rows.check()
    return people


_NAMES = ("mira", "nils", "olga")


def _create_workspace(owner: models.User, name: str) -> models.Workspace:
    values = {"uid": uuid4().hex[:12], "owner": owner, "name": name, "status": "active", "created_at": rows.NOW}
    workspace = models.Workspace.objects.create(account=accounts.get_current_account(), **values)
    for file in ("figures.xlsx", "report.pdf") if name else ():
        models.File.objects.create(workspace=workspace, uid=uuid4().hex, name=file, size=48_211, created_at=rows.NOW)
    return workspace


def _create_workstation(
    person: models.User, kind: str, note: str, *, hours: float, lasted: float | None, workspace: models.Workspace
) -> None:
    begun, took = rows.NOW - timedelta(hours=hours), 9 + len(note)
    ready = {"ended_at": begun + timedelta(seconds=took), "took": took}
    portal_request = rows._create_request(person, hours, "SUCCEEDED", type=kind, note=note, **ready)
    rows._create_attempt(portal_request, "SUCCEEDED")
    over = {"status": "completed", "ended_at": begun + timedelta(hours=lasted)} if lasted else {"status": "active"}
    ends = {"ends_at": begun + timedelta(hours=8), "end_set_at": begun}
    models.Workstation.objects.create(
        account=accounts.get_current_account(),
        request=portal_request,
        workspace=workspace,
        uid=uuid4().hex[:12],
        type=kind,
        created_at=begun,
        first_seen_at=begun,
        **ends,
        **over,
    )
