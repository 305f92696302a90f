"""Which model has which pages in the admin.

Django's own `admin.register` cannot be used here: the class of the site lies in this package, so Django is still making
the site when it imports the modules that would register with it.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import Model

PAGES: dict[type[Model], type[Any]] = {}


def register[Pages: type](model: type[Model]) -> Callable[[Pages], Pages]:
    """Give the model these pages."""

    def remember(pages: Pages) -> Pages:
        PAGES[model] = pages
        return pages

    return remember
