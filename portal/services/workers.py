"""What is known of the workers."""

from datetime import timedelta

from django.db.models import Q

from portal import models
from portal.models.clock import Now

_SEEN_LATELY = timedelta(seconds=30)


def note_worker(*, name: str) -> None:
    """Note that a worker lives."""
    models.Worker.objects.update_or_create(name=name, defaults={"seen_at": Now(), "stopped_at": None})


def note_stopped(*, name: str) -> None:
    """Note that a worker has stopped as it should."""
    models.Worker.objects.filter(name=name).update(stopped_at=Now())


def is_worker_alive() -> bool:
    """Whether a worker has been seen in the last half minute."""
    return models.Worker.objects.filter(Q(stopped_at=None), seen_at__gte=Now() - _SEEN_LATELY).exists()
