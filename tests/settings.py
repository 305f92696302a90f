"""Settings for tests: those of a local portal, without the machine's own environment."""

import os
import tempfile
from pathlib import Path

# In memory where there is such a folder: each of some thousand commits waits for the disk.
_memory = Path("/dev/shm")
_folder = tempfile.TemporaryDirectory(
    prefix="portal-tests-", ignore_cleanup_errors=True, dir=_memory if os.access(_memory, os.W_OK) else None
)
FOLDER = Path(_folder.name)
os.environ |= {
    "PORTAL_LOCAL": "1",
    "SECRET_KEY": "only-for-tests-" + "x" * 50,
    "AGENTSTATION_API_KEY": "",
    "PORTAL_JOB_INTERVAL": "0.1",
}
os.environ.setdefault("DATABASE_URL", f"sqlite:///{FOLDER}/portal.sqlite3")

from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASE, ON_SQLITE  # noqa: E402

if ON_SQLITE:
    # In a file: other threads and processes see it, and WAL is what runs in earnest.
    DATABASE["TEST"] = {"NAME": f"{FOLDER}/test.sqlite3"}
else:
    # Where all tests run, one may have to wait for the processor for longer than a page.
    DATABASE["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=60s"
PORTAL_RETRY_DELAY, PORTAL_REFRESH_INTERVAL = 0.01, 0.1
PORTAL_LIMITS = False  # tests of limits switch them on; most others do in a second what takes people an hour
STATIC_ROOT = FOLDER / "static"
STATIC_ROOT.mkdir()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
