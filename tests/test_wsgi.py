"""What gunicorn calls."""

import subprocess
import sys

import pytest
from django.test import RequestFactory

from portal import wsgi


def test_all_views_are_there_before_the_first_request():
    check = "import portal.wsgi, sys; assert 'portal.views.requests' in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/healthz", "/nowhere/?q=%5Cud800"])
def test_no_encoding_breaks_a_page(path):
    statuses: list[str] = []
    for charset in ("hex", "zip", "rot13", "base64", "idna", "undefined", "unicode_escape", "utf-8"):
        environ = RequestFactory().get(path).environ | {"CONTENT_TYPE": f"a/b; charset={charset}"}

        body = wsgi.application(environ, lambda status, headers, error=None: statuses.append(status))

        assert statuses[-1][:3] in ("200", "302", "404"), charset
        assert b"".join(body) or statuses[-1].startswith("302"), charset
