"""Whether the portal lives and works, for machines."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from portal.db import describe_failure, is_pool_exhausted
from portal.services.audit import protection, seals
from portal.services.reports import readiness


@login_not_required
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@login_not_required
@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    """200 with warnings, or 503 with the reasons: this process cannot serve, or sending has stopped unannounced.

    A pause is announced: the pages must stay in reach for whoever ends it.
    """
    reasons, warnings = _examine()
    body = {"ready": not reasons, "reasons": reasons, "warnings": warnings}
    return JsonResponse(body, status=503 if reasons else 200)


def _examine() -> tuple[list[str], list[str]]:
    try:
        reason = _find_reason()
        return ([reason], []) if reason else ([], readiness.find_warnings())
    except DatabaseError as error:
        if is_pool_exhausted(error):
            return [], [describe_failure(error)]
        return ["The database does not answer."], []


def _find_reason() -> str:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return "The database lacks migrations: run `manage.py migrate`."
    if protection.find_faults():
        return "The audit log is not protected: run `manage.py migrate`, which puts its triggers back."
    return seals.find_fault() or readiness.find_stall()
