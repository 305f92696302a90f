"""One round of pruning. docs/audit-log.md says what goes, what stays, and how the log can be verified afterwards."""

import logging
from datetime import datetime, time, timedelta

from django.conf import settings
from django.utils import timezone

from portal.db import clock
from portal.services.retention import events, requests

logger = logging.getLogger(__name__)


def prune_old() -> int:
    """Prune some batches of what is old enough, each in a transaction of its own. Returns how many rows were named."""
    if settings.PORTAL_KEEP_DAYS is None:
        return 0
    # Whole days go, of the site's zone: so there is something to do after midnight, and then not until the next.
    zone = timezone.get_default_timezone()
    day = clock.read_clock().astimezone(zone).date() - timedelta(days=settings.PORTAL_KEEP_DAYS)
    before = datetime.combine(day, time.min, tzinfo=zone)
    count = requests.prune_requests(before=before)
    # Events go after their requests: to look for some while there are requests left is to look through all.
    more = 0 if count else events.prune_events(before=before)
    if count or more:
        logger.info("Pruned %d requests and %d events from before %s.", count, more, before.date())
    return count + more
