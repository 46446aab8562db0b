"""Every setting comes from the environment and has a default that works with no configuration. README lists them all."""

import os
from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.templatetags.static import static

from billingsite import environment as env
from billingsite.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("COREHOUR_DATA_DIR", str(BASE_DIR / "var")))

# Web
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", DATA_DIR / "secret_key")
DATA_KEYS = env.secret("DATA_KEYS", DATA_DIR / "data_keys")  # accounts/sealed.py says what for.
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
BEHIND_HTTPS = env.flag("BEHIND_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
if BEHIND_HTTPS:  # The prefix makes a browser refuse the cookie from anything but this very host over TLS.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_IDLE_MINUTES = env.whole("SESSION_IDLE_MINUTES", 720, low=1, high=44_640)
SESSION_HOURS = env.whole("SESSION_HOURS", 168, low=1, high=8_784)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_HTTPS
SECURE_SSL_REDIRECT = BEHIND_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # Asked by neighbours that speak plainly.
# Proxies of our own in front; each adds one address to X-Forwarded-For, and no more of them are believed.
TRUSTED_PROXIES = env.whole("TRUSTED_PROXIES", 1 if BEHIND_HTTPS else 0, low=0, high=10)
X_FRAME_OPTIONS = "DENY"
ROOT_URLCONF = "billingsite.urls"
ASGI_APPLICATION = "billingsite.asgi.application"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_celery_results",
    "django_celery_beat",
    "accounts",
    "usage",
    "invoices",
    "billingsite",
]

MIDDLEWARE = [
    "billingsite.headers.KnownHost",
    "billingsite.middleware.RequestIdMiddleware",
    "accounts.whence.Whence",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "billingsite.middleware.CompressedPages",
    "billingsite.middleware.ContentSecurityPolicy",
    "billingsite.headers.SafeFields",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SessionLimits",
    "accounts.wall.Wall",
    "accounts.viewing.Viewing",
    "accounts.language_middleware.PageLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.limits.ApiLimits",
    "accounts.idempotency.IdempotencyKeys",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.current_customer",
            ],
        },
    }
]

# The portal's pages load nothing from another host and run no inline script; the admin's rules are in middleware.py.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "connect-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "object-src": [NONE],
    }
}

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "billingsite.storage.HashedStaticFiles"},
}
WHITENOISE_USE_FINDERS = DEBUG

# Database: SQLite needs no server; PostgreSQL by DATABASE_URL=postgres://user:password@host/name
_DATABASE_URL = env.formed(
    "DATABASE_URL",
    f"sqlite:///{DATA_DIR / 'corehour.sqlite3'}",
    r"(sqlite|postgres|postgresql)://.+",
    "postgres://user@host/name",
)
DATABASES = {"default": environ.Env.db_url_config(_DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # Up to 32 MiB of pages, taken as needed: a batch of many machines touches many leaves of the samples' key.
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;",
    }
    # A file, so that tests meet WAL and locks as production does, and several runs can stand side by side.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")}
else:
    # A process that is stopped in the middle of a transaction must not hold its locks for ever.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c idle_in_transaction_session_timeout=60000")
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # One that stayed may have been cut off meanwhile.
# Whether each statement says who asks, for the policies of `manage.py database_roles`: the web process, under its own role.
DATABASE_WALL = env.flag("DATABASE_WALL", default=DATABASES["default"].get("USER") == "corehour_web")
DATABASES["default"]["CONN_MAX_AGE"] = 0 if DATABASES["default"]["ENGINE"].endswith("sqlite3") else 60

# As ASVS 5.0 asks: length and known passwords, no rules of composition, no change by the calendar.
AUTHENTICATION_BACKENDS = ["accounts.staff.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "accounts.passwords.MostLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "accounts.passwords.ProductWordsValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600
STAFF_SECOND_FACTOR = env.flag("STAFF_SECOND_FACTOR", default=True)
# Mail: to the console until a server is named.
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend" if env.text("EMAIL_HOST", "") else "accounts.console_mail.EmailBackend"
)
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.whole("EMAIL_PORT", 587, low=1, high=65_535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_PORT == 587
EMAIL_USE_SSL = EMAIL_PORT == 465
EMAIL_TIMEOUT = 20
# What links in mail begin with; a task has no request to take it from.
SITE_URL = env.formed("SITE_URL", "http://localhost:8000", r"https?://[^/\s]+", "https://billing.example.com")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Corehour <no-reply@corehour.example>")

# Webhooks go to public addresses alone, save these networks (on-premises receivers) and certificates of this authority.
WEBHOOK_ALLOWED_NETWORKS = env.networks("WEBHOOK_ALLOWED_NETWORKS")
WEBHOOK_CA_FILE = env.text("WEBHOOK_CA_FILE", "")

# Redis or Valkey: live pushes and the task queue. Without it both stay inside one process.
REDIS_URL = env.text("REDIS_URL", "")
# A socket waits five seconds at a time for its next message, as long as redis-py's own timeout, which must be longer.
REDIS_HOST = {"address": REDIS_URL, "socket_timeout": 20}
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_HOST], "expiry": 10}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True  # Results name their task.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TRACK_STARTED = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
# One Celery worker takes all three; under roles of the database each has its own, see docs/operating.md.
CELERY_TASK_QUEUES: dict[str, dict[str, Any]] = {"celery": {}, "usage": {}, "owner": {}}
CELERY_TASK_ROUTES = {
    "usage.tasks.tend_samples": {"queue": "owner"},
    "accounts.tasks.forget_ended_sessions": {"queue": "owner"},
    "usage.tasks.*": {"queue": "usage"},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "record-fleet-load": {"task": "invoices.tasks.record_fleet_load", "schedule": crontab(minute="2")},
    "close-finished-months": {"task": "invoices.tasks.close_finished_periods", "schedule": crontab(minute="5")},
    "send-waiting-mail": {"task": "invoices.tasks.send_waiting_mail", "schedule": crontab()},
    "tell": {"task": "invoices.tasks.tell", "schedule": crontab(minute="*/5")},
    "remind": {"task": "invoices.tasks.remind", "schedule": crontab(minute="35")},
    "sum-days": {"task": "usage.tasks.sum_days", "schedule": crontab(minute="*/10")},
    "store-what-is-due": {"task": "usage.tasks.store_what_is_due", "schedule": crontab()},
    "announce-silence": {"task": "usage.tasks.announce_silence", "schedule": crontab()},
    "deliver-webhooks": {"task": "accounts.tasks.deliver_due_webhooks", "schedule": 5.0},
    "forget-old-webhooks": {"task": "accounts.tasks.forget_old_webhooks", "schedule": crontab(hour="3", minute="40")},
    "forget-ended-sessions": {"task": "accounts.tasks.forget_ended_sessions", "schedule": crontab(hour="3", minute="50")},
    "tend-samples": {"task": "usage.tasks.tend_samples", "schedule": crontab(hour="3", minute="20")},
}

# Kafka
KAFKA_BOOTSTRAP_SERVERS = env.text("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
KAFKA_GROUP = env.text("KAFKA_GROUP", "corehour-usage")
KAFKA_SESSION_TIMEOUT_MS = env.whole("KAFKA_SESSION_TIMEOUT_MS", 10_000, low=1_000, high=300_000)
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
KAFKA_SECURITY: dict[str, str] = {
    key: value
    for key, value in {
        "security_protocol": env.choice("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", PROTOCOLS),
        "sasl_mechanism": env.text("KAFKA_SASL_MECHANISM", ""),
        "sasl_plain_username": env.text("KAFKA_SASL_USERNAME", ""),
        "sasl_plain_password": env.text("KAFKA_SASL_PASSWORD", ""),
        "ssl_cafile": env.text("KAFKA_SSL_CAFILE", ""),
    }.items()
    if value
}

# Usage and invoices
USAGE_TOPIC = env.formed("USAGE_TOPIC", "resource_usage", r"[A-Za-z0-9._-]{1,249}", "resource_usage")
USAGE_MAX_AGE_DAYS = env.whole("USAGE_MAX_AGE_DAYS", 35, low=1, high=3660)
USAGE_REQUIRE_SIGNATURE = env.flag("USAGE_REQUIRE_SIGNATURE", default=True)
# What a machine is told when it is enrolled: how agents reach Kafka, which may be another way than the server's own.
AGENT_BOOTSTRAP_SERVERS = env.text("AGENT_BOOTSTRAP_SERVERS", KAFKA_BOOTSTRAP_SERVERS)
AGENT_SECURITY_PROTOCOL = env.choice("AGENT_SECURITY_PROTOCOL", KAFKA_SECURITY["security_protocol"], PROTOCOLS)
AGENT_SASL_MECHANISM = env.text("AGENT_SASL_MECHANISM", "")
AGENT_SSL_CAFILE = env.text("AGENT_SSL_CAFILE", "")
# Quarter hours are kept for ever; raw samples longer than usage may come late.
USAGE_RETENTION_DAYS = env.whole(
    "USAGE_RETENTION_DAYS", max(400, USAGE_MAX_AGE_DAYS + 1), low=USAGE_MAX_AGE_DAYS + 1, high=36_600
)
METRICS_PORT = env.whole("METRICS_PORT", 0, low=0, high=65_535)
METRICS_HOST = env.text("METRICS_HOST", "127.0.0.1")
INVOICE_PREFIX = env.text("INVOICE_PREFIX", "CH")
CREDIT_NOTE_PREFIX = env.text("CREDIT_NOTE_PREFIX", "CN")
INVOICE_SERIES = env.choice("INVOICE_SERIES", "yearly", ("yearly", "continuous"))
SELLER_NAME = env.text("SELLER_NAME", "Corehour Systems")
SELLER_ADDRESS = env.text("SELLER_ADDRESS", "").replace("\\n", "\n")
SELLER_TAX_ID = env.text("SELLER_TAX_ID", "")
SELLER_CONTACT = env.text("SELLER_CONTACT", "")
SELLER_PHONE = env.formed("SELLER_PHONE", "", r"([+0-9 ()/.-]{3,40})?", "+49 40 1234567")
SELLER_EMAIL = env.formed("SELLER_EMAIL", "", r"([^@\s]+@[^@\s]+)?", "billing@corehour.example")
SELLER_IBAN = env.iban("SELLER_IBAN")
SELLER_COUNTRY = env.formed("SELLER_COUNTRY", "", r"([A-Z]{2})?", "DE")

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.keys.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.MayAsk"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.parsers.ShallowParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "accounts.pages.Pages",
    "PAGE_SIZE": 100,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_RATES": {"user": env.formed("API_RATE", "600/min", r"[1-9]\d*/(s|sec|m|min|h|hour|d|day)", "600/min")},
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttles.RatePerKey"],
    "NUM_PROXIES": TRUSTED_PROXIES,
    "EXCEPTION_HANDLER": "accounts.problems.problem",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Corehour API",
    "DESCRIPTION": "Machines, usage, running cost, invoices. Times are RFC 3339 UTC, money a decimal string with its currency.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "accounts.schema_hooks.tell_manners"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "German"), ("fr", "French"), ("es", "Spanish"), ("ja", "Japanese")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["billingsite.formats"]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Corehour",
    "SITE_HEADER": "Corehour",
    "SITE_SYMBOL": "schedule",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("mark.svg")}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "navigation": "billingsite.navigation.navigation"},
    "DASHBOARD_CALLBACK": "billingsite.dashboard.context",
    "COLORS": {
        "primary": {
            "50": "236 250 251", "100": "208 242 245", "200": "163 228 234", "300": "107 207 217", "400": "53 176 190",
            "500": "16 145 160", "600": "0 112 124", "700": "4 90 100", "800": "8 73 81", "900": "10 61 68", "950": "2 38 43",
        }
    },
}  # fmt: skip

LOGGING = logging_config(
    level=env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    json=env.flag("LOG_JSON", default=False),
)
