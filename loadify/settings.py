"""Every setting of Loadify, each read from the environment; README.md lists their names.

While `bin/up` runs, values it made (addresses of the embedded database and broker, its keys) lie in
LOADIFY_DATA_DIR and are read from there, so `manage.py` of the same clone needs no settings of its own.
"""

import hashlib
import os
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from loadify import embedded, logs
from loadify.bucket_url import bucket, overlap

BASE_DIR = Path(__file__).resolve().parent.parent


def flag(name: str, default: bool = False) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off, blank. Raises ImproperlyConfigured for any other text."""
    text = os.environ.get(name, "1" if default else "0").strip().lower()
    if text not in {"1", "true", "yes", "on", "0", "false", "no", "off", ""}:
        raise ImproperlyConfigured(f"{name} is “{text}”; write 1 or 0.")
    return text in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is “{text}”; write a whole number.") from None


def names(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in (os.environ.get(name) or default).split(",") if part.strip()]


LOADIFY_VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
DATA_DIR = embedded.data_dir()
DEBUG = flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY") or embedded.secret_key() or ("only-for-debugging" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it to a long random text, or start bin/up, which makes one and keeps it in var/."
    )
# They seal the secrets of webhooks: the first seals, all of them open. Texts of one's own, so that either can be changed
# without the other.
LOADIFY_WEBHOOK_KEYS = names("LOADIFY_WEBHOOK_KEYS", embedded.webhook_key() or ("only-for-debugging" if DEBUG else ""))
if not LOADIFY_WEBHOOK_KEYS:
    raise ImproperlyConfigured(
        "LOADIFY_WEBHOOK_KEYS is not set. Set it to a long random text, or start bin/up, which makes one and keeps it in var/."
    )
HTTPS = flag("LOADIFY_HTTPS")
ALLOWED_HOSTS = names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "accounts.apps.AccountsConfig",
    "pages.apps.PagesConfig",
    "importer.apps.ImporterConfig",
    "products.apps.ProductsConfig",
    "contacts.apps.ContactsConfig",
    "cards.apps.CardsConfig",
    "students.apps.StudentsConfig",
    "webhooks.apps.WebhooksConfig",
    "api.apps.ApiConfig",
    "loadify.apps.LoadifyConfig",
    "loadify.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "csp",
    "django_eventstream",
    "django_filters",
    "django_htmx",
    "ninja",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "importer.storage_away.StorageAwayMiddleware",
]

ROOT_URLCONF = "loadify.urls"
ASGI_APPLICATION = "loadify.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

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
                "importer.news.on_pages",
                "importer.notices.on_pages",
            ],
        },
    }
]

DATABASE_URL = os.environ.get("DATABASE_URL") or embedded.database_url()
if not DATABASE_URL:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set and no embedded database runs here. Start bin/up, or set DATABASE_URL to postgres://…"
    )
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        {
            # So that the connections of each kind of process can be counted.
            "application_name": f"loadify {logs.PROCESS}",
            "connect_timeout": 5,
            # A worker that was cut off from the network gives its connection up after half a minute (milliseconds).
            "tcp_user_timeout": 30_000,
        }
    )
    # Transaction poolers cannot keep a server-side cursor between statements.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        {
            # Readers do not wait for the one writer, and writers stand in line from the beginning of a transaction:
            # one that began by reading would be refused at its first write.
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,  # seconds
        }
    )

# Where files lie: a bucket that all machines reach, or a folder of this one.
STORAGE_URL = os.environ.get("STORAGE_URL", "").strip()
STORAGES = {
    "default": (
        {"BACKEND": "importer.storage.bucket.BucketStorage", "OPTIONS": bucket("STORAGE_URL", STORAGE_URL)}
        if STORAGE_URL
        else {
            "BACKEND": "importer.storage.folder.FolderStorage",
            "OPTIONS": {"location": DATA_DIR / "files", "base_url": None, "file_permissions_mode": 0o600},
        }
    ),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- people -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOADIFY_SIGN_UP = flag("LOADIFY_SIGN_UP")
LOADIFY_SIGN_UP_ROLE = (os.environ.get("LOADIFY_SIGN_UP_ROLE") or "viewer").strip().lower()
if LOADIFY_SIGN_UP_ROLE not in ("viewer", "editor"):
    raise ImproperlyConfigured(f"LOADIFY_SIGN_UP_ROLE is “{LOADIFY_SIGN_UP_ROLE}”; write viewer or editor.")
# Days that the log of sign-ins, roles, tokens and the like is kept; 0: for ever.
LOADIFY_AUDIT_DAYS = number("LOADIFY_AUDIT_DAYS", 365)
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# Where mail can be sent, signing up looks the same whether or not an address is taken: the mail says it.
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if LOADIFY_SIGN_UP and os.environ.get("EMAIL_HOST", "").strip() else "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Tries that go wrong: for one e-mail address and from one address of the network.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_SESSION_REMEMBER = True
# Proxies of ours before the site, whose X-Forwarded-For is believed.
LOADIFY_PROXIES = number("LOADIFY_PROXIES", 0)
ALLAUTH_TRUSTED_PROXY_COUNT = LOADIFY_PROXIES
# Where tries to sign in are counted.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "loadify_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ADAPTER = "accounts.adapter.MfaAdapter"
MFA_TOTP_ISSUER = "Loadify"
# Programs sign in for an access token and a refresh token (JWT); the session behind them is looked up at each call.
HEADLESS_CLIENTS = ("app",)
HEADLESS_TOKEN_STRATEGY = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_PRIVATE_KEY = hashlib.sha256(f"jwt {SECRET_KEY}".encode()).hexdigest()
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

# --- e-mail -------------------------------------------------------------------------------------------------------
EMAIL_HOST = os.environ.get("EMAIL_HOST", "").strip()
# Without a mail server e-mails are written to the log of the process that would send them.
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = number("EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS")
EMAIL_USE_SSL = flag("EMAIL_USE_SSL")
if EMAIL_USE_TLS and EMAIL_USE_SSL:
    raise ImproperlyConfigured("EMAIL_USE_TLS and EMAIL_USE_SSL are both set; a mail server speaks one of them.")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL") or "loadify@localhost"

# --- safety -------------------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
# Asked by those who watch over a process, behind the proxy.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# The plain form (no JavaScript) takes files up to this size; the page sends larger ones in parts.
LOADIFY_FORM_LIMIT = 16 * 1024 * 1024
LOADIFY_MAX_FILE_SIZE = number("LOADIFY_MAX_FILE_SIZE", 20 * 1024**3)
# Workbooks are read as a whole: bytes that one may unpack to, and memory (MiB) of the process that reads it.
LOADIFY_MAX_WORKBOOK = number("LOADIFY_MAX_WORKBOOK", 2 * 1024**3)
LOADIFY_WORKBOOK_MEMORY = number("LOADIFY_WORKBOOK_MEMORY", 1024)
# Bytes that files and exports may take, in all and of one person; 0: as many as there is room for. And bytes that stay free
# on the disk, when files lie on one of this machine.
LOADIFY_STORAGE_QUOTA = number("LOADIFY_STORAGE_QUOTA", 0)
LOADIFY_PERSON_QUOTA = number("LOADIFY_PERSON_QUOTA", 0)
LOADIFY_DISK_RESERVE = number("LOADIFY_DISK_RESERVE", 1024**3)
# An upload that nobody went on with is forgotten after this many hours.
LOADIFY_UPLOAD_HOURS = number("LOADIFY_UPLOAD_HOURS", 24)

# --- background work ----------------------------------------------------------------------------------------------
BROKER_URL = os.environ.get("BROKER_URL") or embedded.broker_url() or "memory://"
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
# A task is a hint, and the row decides: it may be acknowledged early, and lost (docs/architecture.md).
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Imports that one worker runs side by side. It has one process more, so that the timetable never waits behind them.
LOADIFY_WORKERS = number("LOADIFY_WORKERS", 2)
# Where it looks for files by itself it has another one more: taking a large file in takes a while.
CELERY_WORKER_CONCURRENCY = LOADIFY_WORKERS + 1 + bool(os.environ.get("LOADIFY_BUCKET") or os.environ.get("LOADIFY_FOLDER"))
# Above so many bytes a file is large: small ones go before it, and a hand of each worker never takes one. 0: none is large.
LOADIFY_LARGE_FILE = number("LOADIFY_LARGE_FILE", 100 * 1024**2)
# Imports of one person that run at once; more of them wait. 0: no limit, because the order of the queue is fair without one.
LOADIFY_PERSON_IMPORTS = number("LOADIFY_PERSON_IMPORTS", 0)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Telling a broker that is away is given up at once: a person's click must not wait for it.
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}
if BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS |= {"visibility_timeout": 3600, "socket_connect_timeout": 1, "socket_timeout": 30}
CELERY_BROKER_CONNECTION_TIMEOUT = 2
# A folder whose files the workers import by themselves; blank for none. Every worker must see it under this name.
LOADIFY_FOLDER = os.environ.get("LOADIFY_FOLDER") or ""
# A bucket, or a part of one, whose objects the workers import by themselves; blank for none.
LOADIFY_BUCKET = os.environ.get("LOADIFY_BUCKET", "").strip()
if LOADIFY_BUCKET:
    inbox = bucket("LOADIFY_BUCKET", LOADIFY_BUCKET)
    if STORAGE_URL and overlap(inbox, bucket("STORAGE_URL", STORAGE_URL)):
        raise ImproperlyConfigured(
            "LOADIFY_BUCKET and STORAGE_URL lie in each other, so that stored files would be taken for new ones. "
            "Give each a bucket, or a folder, of its own."
        )
    STORAGES["inbox"] = {"BACKEND": "importer.storage.inbox.InboxStorage", "OPTIONS": inbox}
# Seconds for which nobody must have written to a file before it is taken.
LOADIFY_FOLDER_SETTLE = number("LOADIFY_FOLDER_SETTLE", 3)

# Nothing of the timetable needs to be remembered over a restart: beat keeps it in memory, and needs no folder. Of several beats
# one acts.
CELERY_BEAT_SCHEDULER = "loadify.timetable:Timetable"
CELERY_BEAT_SCHEDULE = {
    "store_held": {"task": "importer.store_held", "schedule": 1.0, "options": {"expires": 1}},
    "sweep": {"task": "importer.sweep", "schedule": 5.0, "options": {"expires": 5}},
    **({"scan": {"task": "importer.scan", "schedule": 10.0, "options": {"expires": 10}}} if LOADIFY_FOLDER else {}),
    **(
        {"scan_bucket": {"task": "importer.scan_bucket", "schedule": 10.0, "options": {"expires": 10}}}
        if LOADIFY_BUCKET
        else {}
    ),
    "mail": {"task": "importer.mail", "schedule": 5.0, "options": {"expires": 5}},
    "tidy": {"task": "importer.tidy", "schedule": 600.0, "options": {"expires": 600}},
    "tallies": {"task": "importer.tallies", "schedule": 1.0, "options": {"expires": 1}},
    "pulse": {"task": "loadify.pulse", "schedule": 10.0, "options": {"expires": 10}},
    "deliver": {"task": "webhooks.deliver", "schedule": 2.0, "options": {"expires": 2}},
    "retry": {"task": "webhooks.retry", "schedule": 2.0, "options": {"expires": 2}},
    "forget_entries": {"task": "accounts.forget_entries", "schedule": 3600.0, "options": {"expires": 3600}},
    "purge": {"task": "webhooks.purge", "schedule": 3600.0, "options": {"expires": 3600}},
}
# What must be on time has a process of its own, which imports can never fill: a thread for deliveries, one for deliveries to
# receivers whose last try failed, one for held rows.
CELERY_TASK_ROUTES = {
    "webhooks.deliver": {"queue": "webhooks"},
    "webhooks.retry": {"queue": "retries"},
    "importer.store_held": {"queue": "punctual"},
}

# --- webhooks -----------------------------------------------------------------------------------------------------
# Where the site is seen from outside: events too large to be sent whole lead there.
LOADIFY_URL = (os.environ.get("LOADIFY_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}").rstrip("/")
# Days after which events are forgotten, with their deliveries.
LOADIFY_WEBHOOK_DAYS = number("LOADIFY_WEBHOOK_DAYS", 30)
# For a laptop: receivers may be on this machine and in its private networks.
LOADIFY_WEBHOOK_ALLOW_PRIVATE = flag("LOADIFY_WEBHOOK_ALLOW_PRIVATE")

# --- watching over it ---------------------------------------------------------------------------------------------
# What a program that collects /metrics sends as its bearer token; blank: only admins who are signed in see them.
LOADIFY_METRICS_TOKEN = os.environ.get("LOADIFY_METRICS_TOKEN", "").strip()
# Errors go to Sentry, or what speaks like it, when this is set.
SENTRY_DSN = os.environ.get("SENTRY_DSN", "").strip()

# --- API ----------------------------------------------------------------------------------------------------------
# Calls a minute that a person and their programs may make; 0: as many as they like.
LOADIFY_API_RATE = number("LOADIFY_API_RATE", 600)

# --- importing ----------------------------------------------------------------------------------------------------
# Seconds without a heartbeat after which an import's worker counts as dead.
LOADIFY_LEASE = number("LOADIFY_LEASE", 15)
# Seconds after which an import that was paused and not resumed is cancelled.
LOADIFY_PAUSE_LIMIT = number("LOADIFY_PAUSE_LIMIT", 300)
# Days after which an import cannot be undone any more, because its Changes are dropped.
LOADIFY_CHANGES_DAYS = number("LOADIFY_CHANGES_DAYS", 30)
# Days that the file of an import is kept after the import has ended, with the cells of its rejected lines; 0: for ever.
LOADIFY_FILE_DAYS = number("LOADIFY_FILE_DAYS", 90)
# Seconds that the link of a download works.
LOADIFY_LINK_SECONDS = number("LOADIFY_LINK_SECONDS", 600)
# Days after which the file of an export is deleted.
LOADIFY_EXPORT_DAYS = number("LOADIFY_EXPORT_DAYS", 7)
# The owner of an import that took longer than this many seconds is told when it ends.
LOADIFY_TELL_AFTER = number("LOADIFY_TELL_AFTER", 30)
# Percent from which an import waits for a person: of a catalogue that would change, of updated rows in which a column goes
# blank, of a catalogue that would be switched off; and of the lines that may come out otherwise than they were approved.
LOADIFY_WARN_CHANGED = number("LOADIFY_WARN_CHANGED", 50)
LOADIFY_WARN_EMPTIED = number("LOADIFY_WARN_EMPTIED", 10)
LOADIFY_WARN_INACTIVE = number("LOADIFY_WARN_INACTIVE", 10)
LOADIFY_REVIEW_DRIFT = number("LOADIFY_REVIEW_DRIFT", 1)

# --- rows through a queue -------------------------------------------------------------------------------------------
# Stands before the names of the queues: several sites may share one broker.
LOADIFY_QUEUE_PREFIX = os.environ.get("LOADIFY_QUEUE_PREFIX", "").strip()
# Seconds after which rows that a consumer took from Redis, and did not settle, are given to another one.
LOADIFY_QUEUE_RETURN = number("LOADIFY_QUEUE_RETURN", 60)

# --- contacts -----------------------------------------------------------------------------------------------------
# Seconds within which the same phone or e-mail is not stored again.
LOADIFY_HOLD_SECONDS = number("LOADIFY_HOLD_SECONDS", 180)
# The country of phone numbers that name none (ISO 3166-1, two letters).
LOADIFY_PHONE_REGION = (os.environ.get("LOADIFY_PHONE_REGION") or "AM").strip().upper()

# --- cards --------------------------------------------------------------------------------------------------------
# The time zone of partners' reports whose times name none.
LOADIFY_CARDS_ZONE = os.environ.get("LOADIFY_CARDS_ZONE") or "Asia/Dubai"
try:
    ZoneInfo(LOADIFY_CARDS_ZONE)
except (ZoneInfoNotFoundError, ValueError):
    raise ImproperlyConfigured(f"LOADIFY_CARDS_ZONE is “{LOADIFY_CARDS_ZONE}”; write a name like Asia/Dubai.") from None

# --- live pages ---------------------------------------------------------------------------------------------------
EVENTSTREAM_STORAGE_CLASS = "importer.relay.SnapshotStorage"
EVENTSTREAM_CHANNELMANAGER_CLASS = "importer.relay.ImportChannels"
# As many may watch imports at once in one web process; the next one is told to reload the page.
LOADIFY_VIEWERS = number("LOADIFY_VIEWERS", 1000)

# --- language, time, logs -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = os.environ.get("TIME_ZONE") or "UTC"
USE_TZ = True
USE_THOUSAND_SEPARATOR = True
# "line" for people, "json" for programs that collect logs.
LOADIFY_LOG_FORMAT = (os.environ.get("LOADIFY_LOG_FORMAT") or "line").strip().lower()
if LOADIFY_LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured(f"LOADIFY_LOG_FORMAT is “{LOADIFY_LOG_FORMAT}”; write line or json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": logs.formatters(),
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOADIFY_LOG_FORMAT}},
    "loggers": {
        # It tells of every viewer that comes and goes.
        "django_eventstream": {"level": "WARNING"},
        # They write down addresses of webhooks, which may hold passwords, and what a hostile receiver makes them write.
        "urllib3": {"level": "ERROR"},
        "requests_hardened": {"level": "ERROR"},
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL") or "INFO"},
}
