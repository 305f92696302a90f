"""Settings of a whole portal that tests start: its environment also sets what an operator cannot."""

import os

from portal.settings import *  # noqa: F403

PORTAL_LIMITS = os.environ.get("PORTAL_LIMITS") != "off"
PORTAL_REFRESH_INTERVAL = float(os.environ.get("PORTAL_REFRESH_INTERVAL", "5"))
PORTAL_RETRY_DELAY = float(os.environ.get("PORTAL_RETRY_DELAY", "2"))
