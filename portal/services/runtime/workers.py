"""What is known of the workers."""

from datetime import timedelta

from django.db.models import QuerySet

from portal import models
from portal.models.clock import Now
from portal.models.compiled import compiled

_SEEN_LATELY = timedelta(seconds=30)
_KEPT = timedelta(days=7)


def note_worker(*, name: str) -> None:
    """Note that a worker lives."""
    if not models.Worker.objects.filter(name=name).update(seen_at=Now(), stopped_at=None):
        models.Worker.objects.create(name=name)


def note_stopped(*, name: str) -> None:
    """Note that a worker has stopped as it should."""
    models.Worker.objects.filter(name=name).update(stopped_at=Now())


def prune_workers() -> None:
    """Delete workers that have not been seen for a week: each start has a name of its own."""
    models.Worker.objects.filter(seen_at__lt=Now() - _KEPT).delete()


@compiled()
def list_living() -> QuerySet[models.Worker, str]:
    """The names of the workers that have been seen in the last half minute."""
    living = models.Worker.objects.filter(stopped_at=None, seen_at__gte=Now() - _SEEN_LATELY)
    return living.order_by("name").values_list("name", flat=True)


def is_worker_alive() -> bool:
    """Whether there is a living worker."""
    return bool(list_living())
