"""What people know a workspace by: what ran there last, when, and how many files it has."""

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal import models


def count_files(workspace: str) -> Coalesce:
    files = models.File.objects.filter(workspace=OuterRef(workspace)).order_by().values("workspace")
    return Coalesce(Subquery(files.values(number=Count("pk"))), 0)


def annotate_use(rows: QuerySet[models.Workspace]) -> QuerySet[models.Workspace]:
    """Subqueries for each row that is shown: a join would count for all of them first."""
    ran = models.Workstation.objects.filter(workspace=OuterRef("pk")).order_by("-id")
    return rows.annotate(
        file_count=count_files("pk"),
        last_type=Subquery(ran.values("type")[:1]),
        last_at=Coalesce(Subquery(ran.values("first_seen_at")[:1]), "first_seen_at"),
    )
