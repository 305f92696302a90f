"""How long a request usually takes."""

from portal import models

_SAMPLE, _FEWEST = 100, 5  # requests


def read_typical_duration(*, account: models.Account) -> float | None:
    """Seconds within which eight in ten of the last hundred were ready; None where there are too few to say."""
    ready = models.Request.objects.filter(status=models.Request.Status.SUCCEEDED, account=account)
    last = ready.order_by("-id").values_list("took", flat=True)[:_SAMPLE]
    took = sorted(seconds for seconds in last if seconds is not None)
    return took[len(took) * 8 // 10] if len(took) >= _FEWEST else None
