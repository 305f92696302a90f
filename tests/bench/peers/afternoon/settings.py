"""As `django-admin startproject` writes them, with what the documentation advises for either database."""

import os

import environ

DATABASE = environ.Env().db("DATABASE_URL")
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE |= {
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
else:  # two processes share the 100 connections that the server has
    DATABASE["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 45}}
DATABASES = {"default": DATABASE}
PROVIDER, API_KEY = os.environ["AGENTSTATION_BASE_URL"], os.environ["AGENTSTATION_API_KEY"]

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.bench.peers.afternoon.models"
_APPS = ("auth", "contenttypes", "sessions", "messages")
INSTALLED_APPS = [*(f"django.contrib.{name}" for name in _APPS), "tests.bench.peers.afternoon"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
_PROCESSORS = ["template.context_processors.request", "contrib.auth.context_processors.auth"]
_PROCESSORS += ["contrib.messages.context_processors.messages"]
_OPTIONS = {"context_processors": [f"django.{name}" for name in _PROCESSORS]}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": _OPTIONS}]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_REDIRECT_URL = "/requests/"
