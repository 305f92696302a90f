"""Whether the portal lives and works, for machines."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from portal.services import workers
from portal.services.audit import protection, seals


@login_not_required
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    """200, or 503 with the reasons."""
    reasons = _find_reasons()
    return JsonResponse({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)


def _find_reasons() -> list[str]:
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return ["The database lacks migrations: run `manage.py migrate`."]
        if protection.find_faults():
            return ["The record is not protected: run `manage.py migrate`, which puts its triggers back."]
        if fault := seals.find_fault():
            return [fault]
        return [] if workers.is_worker_alive() else ["No worker has been seen lately: run `manage.py work`."]
    except DatabaseError:
        return ["The database does not answer."]
