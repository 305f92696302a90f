"""What the tests of the audit log need beside the cast."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from tests.browser import Browser


@pytest.fixture(scope="session", autouse=True)
def _static_root() -> None:
    """WhiteNoise warns where the folder of collected files is missing, and warnings are errors."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def browser(anna, sign_in) -> Browser:
    """An auditor's."""
    return sign_in(anna)


@pytest.fixture
def browse(browser) -> Callable[..., list[int]]:
    def browse(name: str, **query: object) -> list[int]:
        """The ids of the rows that are listed, in their order."""
        response = browser.get(f"/admin/portal/{name}/", query)
        assert response.status_code == 200, (name, query)
        return [row.pk for row in response.context["cl"].result_list]

    return browse
