"""The ASGI application of `/v1`, for people's programs: `manage.py api` serves it."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from portal.api.application import Application  # noqa: E402 (it needs the models)

application = Application()
