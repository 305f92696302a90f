"""Django's settings. What an operator may set is read from the environment; docs/settings.md has the table."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.csp import CSP

from portal import environment
from portal.local import files
from portal.sandbox import names as sandbox_names

BASE_DIR = Path(__file__).resolve().parent.parent

# --- How it runs ------------------------------------------------------------------------------------------------------

PORTAL_LOCAL = environment.read_flag("PORTAL_LOCAL", default=False)
PORTAL_BIND = environment.read_address("PORTAL_BIND", default="127.0.0.1")
if PORTAL_LOCAL and not environment.is_loopback(PORTAL_BIND.strip("[]")):
    environment.stop("PORTAL_BIND must be an address of this machine alone, because `make run` speaks plain http.")
PORTAL_TRUSTED_PROXY = environment.read_networks("PORTAL_TRUSTED_PROXY", default="127.0.0.1,::1")

# --- Database ---------------------------------------------------------------------------------------------------------

DATABASE: dict[str, Any] = environment.read_database(
    "DATABASE_URL", default=f"sqlite:///{BASE_DIR}/data/portal.sqlite3"
)
ON_SQLITE = DATABASE["ENGINE"].endswith("sqlite3")
if ON_SQLITE:
    DATA_DIR = Path(DATABASE["NAME"]).absolute().parent
    files.protect_files(database=Path(DATABASE["NAME"]).absolute(), owned=BASE_DIR / "data")
    # IMMEDIATE takes the write lock at once and waits for it; begun as a reader, a transaction that later writes fails
    # with "database is locked". FULL keeps an accepted request through a power cut.
    DATABASE |= {
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
else:
    DATA_DIR = BASE_DIR / "data"
    # A worker that is paused while it holds the key row would stop all others: PostgreSQL ends its transaction, before
    # the others give up waiting for the lock. Its compiler costs more than it saves where queries are short. A server
    # that vanished without a word is noticed within half a minute; by itself TCP waits for hours. A claim that a crash
    # takes back would be sent twice: a commit is on disk before it counts, whatever the role says.
    DATABASE |= {
        "OPTIONS": {
            "connect_timeout": 10,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,  # milliseconds
            **DATABASE.get("OPTIONS", {}),
            # By default a pool tries again after minutes. What a rush has opened is closed soon: a pool uses all
            # connections in turn, and the more there are, the longer each has slept.
            "pool": {"min_size": 1, "max_size": 10, "timeout": 20, "reconnect_timeout": 20, "max_idle": 5},
            # Two threads of a frozen worker may keep the key's lock one after the other: less than others wait for it.
            "options": "-c lock_timeout=8s -c idle_in_transaction_session_timeout=3s -c jit=off "
            "-c synchronous_commit=on",
        },
        "CONN_HEALTH_CHECKS": True,
    }
DATABASES = {"default": DATABASE}

# Where a pooler stands between, LISTEN needs a way of its own; without it workers look once a second.
PORTAL_LISTEN_URL = environment.read_text("PORTAL_LISTEN_URL")

# --- Processes --------------------------------------------------------------------------------------------------------

# A page is work for the processor, of which a process uses one core at a time. On SQLite they wait for one writer.
WEB_PROCESSES = environment.read_whole_number(
    "WEB_CONCURRENCY",
    default=1 if PORTAL_LOCAL else min(environment.count_cores(), 2 if ON_SQLITE else 8),
    least=1,
    most=64,
)
WEB_THREADS = 16  # of each web process
# Of each, at most. Four workers may have 44 of PostgreSQL's 100, the web processes of a machine as many. Fewer than
# threads: a thread has one only while it makes a page.
WEB_CONNECTIONS = max(2, min(10, 44 // WEB_PROCESSES))

PORT = environment.read_whole_number("PORT", default=8000, least=1, most=65533)
SANDBOX_PORT = PORT + 1
# Programs are served by a process of their own: `manage.py api`.
PORTAL_API_PORT = environment.read_whole_number("PORTAL_API_PORT", default=PORT + 2, least=1, most=65535)

SECRET_KEY = environment.read_secret("SECRET_KEY", least=50)
if not SECRET_KEY and PORTAL_LOCAL:
    SECRET_KEY = files.read_or_make_key(DATA_DIR / "secret_key")
if not SECRET_KEY:
    environment.stop("SECRET_KEY is not set. (`make run` needs none: it makes one beside its database.)")
# Former ones: what was signed or encrypted with them still counts.
SECRET_KEY_FALLBACKS = environment.read_list("SECRET_KEY_FALLBACKS")

# --- The audit log --------------------------------------------------------------------------------------------------

# The secret by which the audit log is sealed; not in the database. Empty: SECRET_KEY stands for it.
PORTAL_AUDIT_KEY = environment.read_secret("PORTAL_AUDIT_KEY")
# Former ones, and former SECRET_KEYs where those stood for it: what was sealed with them is checked with them.
PORTAL_AUDIT_KEY_OLD = environment.read_list("PORTAL_AUDIT_KEY_OLD")
# Where every event goes once it is sealed, and the bearer for an https address. Empty: nowhere.
PORTAL_AUDIT_STREAM = environment.read_stream("PORTAL_AUDIT_STREAM", may_be_plain=PORTAL_LOCAL)
PORTAL_AUDIT_STREAM_TOKEN = environment.read_text("PORTAL_AUDIT_STREAM_TOKEN")
if not PORTAL_AUDIT_STREAM_TOKEN.isascii():
    environment.stop("PORTAL_AUDIT_STREAM_TOKEN must have ASCII characters only.")

# --- The provider -----------------------------------------------------------------------------------------------------

AGENTSTATION_API_KEY = environment.read_text("AGENTSTATION_API_KEY")
USING_SANDBOX = PORTAL_LOCAL and not AGENTSTATION_API_KEY
AGENTSTATION_BASE_URL = environment.read_url("AGENTSTATION_BASE_URL", default="https://api.agentstation.ai/v1")
if USING_SANDBOX:
    AGENTSTATION_API_KEY = sandbox_names.DEFAULT_API_KEY
    AGENTSTATION_BASE_URL = f"http://127.0.0.1:{SANDBOX_PORT}/v1"
if not AGENTSTATION_API_KEY:
    environment.stop("AGENTSTATION_API_KEY is not set. (`make run` without it uses the sandbox.)")
# Rehearsal names of the sandbox are everybody's: a workspace that one person has tried must not be closed to the next.
SANDBOX_WORKSPACES = frozenset(name.uid for name in sandbox_names.RESERVED)
SHARED_WORKSPACES = SANDBOX_WORKSPACES if USING_SANDBOX else frozenset[str]()

# The hosts of the addresses by which browsers reach a workstation. A provider on this machine has its ways here too.
PORTAL_CONNECTION_HOSTS = environment.read_hosts(
    "PORTAL_CONNECTION_HOSTS",
    default="127.0.0.1:*,localhost:*" if environment.is_local_url(AGENTSTATION_BASE_URL) else "*.agentstation.ai",
)
PORTAL_CALLS_IN_FLIGHT = environment.read_whole_number("PORTAL_CALLS_IN_FLIGHT", default=16, least=1, most=1000)
PORTAL_CALLS_PER_MINUTE = environment.read_whole_number("PORTAL_CALLS_PER_MINUTE", default=0, least=0, most=100_000)
# Seconds, which rehearsals turn.
AGENTSTATION_CONNECT_TIMEOUT = environment.read_timing("AGENTSTATION_CONNECT_TIMEOUT", 5)  # for a step of connecting
AGENTSTATION_TOTAL_TIMEOUT = environment.read_timing("AGENTSTATION_TOTAL_TIMEOUT", 60)
PORTAL_SEND_MARGIN = environment.read_timing("PORTAL_SEND_MARGIN", 5)
PORTAL_RECORD_MARGIN = environment.read_timing("PORTAL_RECORD_MARGIN", 60)
PORTAL_RECONCILE_GRACE = environment.read_timing("PORTAL_RECONCILE_GRACE", 60)
PORTAL_SCAN_INTERVAL = environment.read_timing("PORTAL_SCAN_INTERVAL", 300)
PORTAL_JOB_INTERVAL = environment.read_timing("PORTAL_JOB_INTERVAL", 5)
PORTAL_LONGEST_WAIT = environment.read_timing("PORTAL_LONGEST_WAIT", 24 * 60 * 60)
PORTAL_API_WAIT = environment.read_timing("PORTAL_API_WAIT", 55)
# A week at least: what is a few days old may still change, by a late response for example.
PORTAL_KEEP_DAYS = environment.read_days("PORTAL_KEEP_DAYS", least=7, most=36_500)
# Constants, but for tests and measurements.
PORTAL_RETRY_DELAY, PORTAL_REFRESH_INTERVAL, PORTAL_LIMITS = 2.0, 5.0, True

# --- Application ------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.idp.oidc",  # for `wsp login`
]
MIDDLEWARE = [
    # Around all others: what they answer by themselves has these headers, too.
    "portal.web.middleware.BrowserLimitsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "portal.web.middleware.LocalHostMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "portal.web.middleware.NoFilesMiddleware",  # before anything that could read what was sent
    # Pages are compressed, with a filler of random length: what a page holds cannot be guessed from its size.
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "portal.web.middleware.PersonMiddleware",
    "portal.web.middleware.OriginMiddleware",
    "portal.web.middleware.RefusalMiddleware",
    "portal.web.middleware.SessionLimitMiddleware",
    "portal.web.middleware.SignedInMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.web.middleware.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.web.middleware.PrivatePagesMiddleware",
    "portal.web.middleware.PossiblePathMiddleware",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.views.context.portal",
            ],
            "builtins": ["django.templatetags.i18n", "portal.templatetags.ui", "portal.templatetags.rows"],
        },
    }
]
FORM_RENDERER = "portal.forms.PortalRenderer"

AUTH_USER_MODEL = "portal.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "portal.accounts.passwords.NotOurWords"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = ["portal.accounts.passwords.GatedHasher"]
LOGIN_URL = LOGOUT_REDIRECT_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "portal.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = MFA_RATE_LIMITS = IDP_OIDC_RATE_LIMITS = False  # ours: portal/accounts/guessing.py
MFA_ADAPTER = "portal.accounts.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # a clock half a minute off
# Where people of a company sign in; and whether passwords and passkeys let anybody in beside that.
PORTAL_OIDC = environment.read_issuers("PORTAL_OIDC")
PORTAL_PASSWORD_SIGN_IN = environment.read_flag("PORTAL_PASSWORD_SIGN_IN", default=True)
if not (PORTAL_PASSWORD_SIGN_IN or PORTAL_OIDC):
    environment.stop("Without PORTAL_PASSWORD_SIGN_IN and PORTAL_OIDC nobody could sign in.")
IDP_OIDC_DEVICE_CODE_EXPIRES_IN = 10 * 60  # seconds
SOCIALACCOUNT_ADAPTER = "portal.accounts.oidc.IssuerAdapter"
CACHES = {
    # What issuers publish, for each process by itself: whoever can write in the database must not choose their keys.
    "issuers": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "TIMEOUT": 3600},
    # Codes that were used, and those of `wsp login`, for all machines together.
    "default": {"BACKEND": "portal.accounts.cache.EncryptedCache", "KEY_FUNCTION": "portal.accounts.cache.hash_key"},
}

# The portal's own address, of which links for people are made; without it by what browsers ask for.
PORTAL_URL = environment.read_origin("PORTAL_URL", may_be_plain=PORTAL_LOCAL)
EMAIL_URL, DEFAULT_FROM_EMAIL = environment.read_mail("EMAIL_URL", host=urlsplit(PORTAL_URL).hostname or "")
if EMAIL_URL:
    MAILERS = EMAIL_URL
    if not PORTAL_URL:
        environment.stop("EMAIL_URL needs PORTAL_URL, the portal's own address, for the links in mails.")

# The team's channels, as URLs of Apprise, which hold secrets.
PORTAL_NOTIFY_URLS = environment.read_channels("PORTAL_NOTIFY_URLS")
if PORTAL_NOTIFY_URLS and not PORTAL_URL:
    environment.stop("PORTAL_NOTIFY_URLS needs PORTAL_URL, the portal's own address, for the links in messages.")

LANGUAGE_CODE = "en"
TIME_ZONE = environment.read_time_zone("PORTAL_TIME_ZONE", default="UTC")

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Security ---------------------------------------------------------------------------------------------------------

ALLOWED_HOSTS = environment.read_list("ALLOWED_HOSTS")
LOCAL_HOST = ""
if PORTAL_LOCAL and not ALLOWED_HOSTS:
    # No other server of the machine has this name; browsers know by themselves that it is this machine.
    LOCAL_HOST = files.read_or_make_host(DATA_DIR / "local_host")
    ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", PORTAL_BIND, LOCAL_HOST]
CSRF_TRUSTED_ORIGINS = environment.read_list("CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "portal.views.errors.csrf_failure"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
SECURE_SSL_REDIRECT = not PORTAL_LOCAL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes come over plain http from inside
SECURE_HSTS_SECONDS = 0 if PORTAL_LOCAL else 31_536_000
# Only the owner of the whole domain can decide about its other hosts, or about a list built into browsers.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# No other host of the domain can set these, nor read them, where https is in use.
_PREFIX = "" if PORTAL_LOCAL else "__Host-"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_PREFIX}sessionid", f"{_PREFIX}csrftoken"
THEME_COOKIE, BROWSER_COOKIE, MESSAGE_COOKIE = f"{_PREFIX}theme", f"{_PREFIX}browser", f"{_PREFIX}messages"
PASSKEY_COOKIE = f"{_PREFIX}passkey"
MESSAGE_STORAGE = "portal.views.cookies.MessageStorage"
SESSION_ENGINE = "portal.web.sessionstore"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not PORTAL_LOCAL
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 60 * 60

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "portal.web.logs.Formatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
            "datefmt": "%Y-%m-%dT%H:%M:%S%z",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "portal": {"level": "INFO"},
        "portal.sandbox": {"level": "WARNING"},  # it answers many times a minute
        "django": {"level": "WARNING"},  # by the root's handler alone, which hides tokens
        # Anybody can cause these, as often as they like.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.security.DisallowedModelAdminLookup": {"level": "CRITICAL"},
        "django.security.csrf": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},  # what was refused or not found is no news
    },
}
