"""What Django's checks say beside its own: it goes on, and somebody should know."""

from typing import Any

from django.core import checks

from portal import environment


def check_files(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Warn of a secret in a file that everybody on this machine may read, as Docker and Kubernetes mount them."""
    names = environment.list_open_files()
    hint = "chmod 600, or whatever lets only the portal's user read it."
    return [
        checks.Warning(f"Everybody on this machine may read the file that {name} names.", hint=hint, id="portal.W001")
        for name in names
    ]
