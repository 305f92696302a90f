"""The WSGI application: `gunicorn portal.wsgi`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()

if not settings.ON_SQLITE and settings.PORTAL_STATEMENT_TIMEOUT:
    # No page may keep the database busy for longer; whoever asked for it is told (views/errors.py).
    limit = int(settings.PORTAL_STATEMENT_TIMEOUT * 1000)
    connections.settings["default"]["OPTIONS"]["options"] += f" -c statement_timeout={limit}ms"
