"""How long a request usually takes."""

from django.db.models import BigIntegerField, QuerySet

from portal import models
from portal.models.compiled import compiled

_SAMPLE, _FEWEST = 100, 5  # requests


def read_usual_time(*, account: models.Account) -> float | None:
    """Seconds within which eight in ten of the last hundred were ready; None where there are too few to say."""
    took = sorted(seconds for seconds in _read_last(account_id=account.pk) if seconds is not None)
    return took[len(took) * 8 // 10] if len(took) >= _FEWEST else None


@compiled(account_id=BigIntegerField())
def _read_last(*, account_id: int) -> QuerySet[models.Request, float | None]:
    ready = models.Request.objects.filter(status=models.Request.Status.SUCCEEDED, account=account_id)
    return ready.order_by("-id").values_list("took", flat=True)[:_SAMPLE]
