"""Every setting, read top to bottom. What differs between deployments is an environment variable (.env.example).

Without ALLOWED_HOSTS the portal answers on this machine only, and makes its own development keys in `var/`.
With it, it is public: then it refuses to start with a missing or development secret, or with DEBUG on.
"""

import warnings
from datetime import timedelta
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured

from portal import keys

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()  # NAME_FILE names a file that holds what NAME would
environ.Env.read_env(BASE_DIR / ".env")

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))  # what is made at run time

# --- Where we are ---------------------------------------------------------------------------------------------

LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or LOOPBACK_HOSTS
PUBLIC = not set(ALLOWED_HOSTS) <= {*LOOPBACK_HOSTS, "testserver"}
DEBUG = env.bool("DEBUG", default=False)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])  # addresses and networks in front of us, see wsgi.py


def secret(name: str, development: str) -> str:
    """The secret `name` from the environment; on a public host it must be there and not a development one."""
    value: str = env.str(name, default="", multiline=True)  # a PEM may be written on one line, with \n
    if value and "\n" not in value and len(value) < 256 and Path(value).is_file():
        value = Path(value).read_text()
    if not PUBLIC:
        return value or development
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. A public host needs it: see .env.example.")
    if keys.DEVELOPMENT_MARK in value:
        raise ImproperlyConfigured(f"{name} is a development secret. Make a new one for a public host.")
    return value


if PUBLIC and DEBUG:
    raise ImproperlyConfigured("DEBUG is on and ALLOWED_HOSTS names a public host. Turn DEBUG off.")

if not PUBLIC:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
SECRET_KEY = secret("SECRET_KEY", "" if PUBLIC else keys.development_secret(VAR_DIR / "keys" / "secret_key"))
if PUBLIC and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("SECRET_KEY is shorter than 50 characters.")

# Signs every answer to a merchant and every notice (wire.md 4): PKCS8 PEM, or the path of a file that holds it.
PLATFORM_SIGNING_KEY = secret(
    "PLATFORM_SIGNING_KEY",
    "" if PUBLIC else keys.development_private_key(VAR_DIR / "keys" / "platform.pem"),
)
if PUBLIC and (problem := keys.problem_of(PLATFORM_SIGNING_KEY)):
    raise ImproperlyConfigured(f"PLATFORM_SIGNING_KEY: {problem}.")
PLATFORM_KEY_VERSION = env.str("PLATFORM_KEY_VERSION", default="1")


def symmetric(name: str, text: str) -> tuple[bytes, ...]:
    """The 32-byte keys that the secret `name` holds."""
    try:
        return keys.symmetric(text)
    except ValueError as problem:
        raise ImproperlyConfigured(f"{name}: {problem}. Make one with: openssl rand -base64 32") from problem


# Personal data at rest (encryption.py): the first key encrypts, all of them decrypt; another one finds by exact match.
FIELD_ENCRYPTION_KEYS = symmetric(
    "FIELD_ENCRYPTION_KEYS",
    secret("FIELD_ENCRYPTION_KEYS", "" if PUBLIC else keys.development_key(VAR_DIR / "keys" / "field_encryption")),
)
BLIND_INDEX_KEY, *_more = symmetric(
    "BLIND_INDEX_KEY",
    secret("BLIND_INDEX_KEY", "" if PUBLIC else keys.development_key(VAR_DIR / "keys" / "blind_index")),
)
if _more or BLIND_INDEX_KEY in FIELD_ENCRYPTION_KEYS:
    raise ImproperlyConfigured("BLIND_INDEX_KEY: it must be one key, and none of FIELD_ENCRYPTION_KEYS.")

# --- Parts ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "portal.apps.PortalConfig",
    "authapi.apps.AuthapiConfig",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_countries",
    "lucide",
    "csp",
    "portal.apps.ConsoleConfig",
    "django_tasks",
    "django_tasks_db",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
]

MIDDLEWARE = [
    "portal.middleware.TraceIdMiddleware",
    "portal.metrics.MetricsMiddleware",
    "portal.request_log.RequestLogMiddleware",
    "portal.middleware.AbsoluteFormMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "authapi.middleware.ApiMiddleware",  # what follows is for pages
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# The merchant API answers every path itself; a redirect would break a signature.
APPEND_SLASH = True

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
                "portal.context.brand",
                "portal.context.unread",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "lucide.templatetags.lucide"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
BRAND_NAME = env.str("BRAND_NAME", default="Super")
JURISDICTION = env.str("JURISDICTION", default="")  # whose law the receipts of decisions name

# --- Data -----------------------------------------------------------------------------------------------------

database_url = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'portal.sqlite3'}")
if not database_url.startswith(("sqlite://", "postgres://", "postgresql://")):
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite:///")
DATABASES = {"default": env.db_url_config(database_url)}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # Writers queue instead of failing: take the write lock at BEGIN, wait for it, and let readers go on (WAL).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
    }
else:
    DATABASES["default"]["ENGINE"] = "portal.postgresql"
    DATABASES["default"].setdefault("CONN_MAX_AGE", env.int("DATABASE_CONN_MAX_AGE", default=600))
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    patience = env.int("DATABASE_TIMEOUT_SECONDS", default=3)
    DATABASES["default"]["OPTIONS"] = {
        # A database host that is silent, rather than gone, must not hold every thread until TCP gives up.
        "connect_timeout": patience,
        "tcp_user_timeout": patience * 1000,
        # Statements are planned once a connection, not once a call: half of what they cost. A pooler between must
        # know prepared statements (PgBouncer from 1.21 on); ?prepare_threshold= after the URL changes it.
        "server_side_binding": True,
        "prepare_threshold": 1,
        **DATABASES["default"].get("OPTIONS", {}),
    }

CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
SHARED_CACHE = "redis" in CACHES["default"]["BACKEND"]
CACHES["default"]["OPTIONS"] = {
    # A Redis that is gone or hangs costs a caller a quarter of a second, not five.
    **({"socket_connect_timeout": 0.25, "socket_timeout": 0.25} if SHARED_CACHE else {"MAX_ENTRIES": 100_000}),
    **CACHES["default"].get("OPTIONS", {}),
}
# Sessions are read from the cache where all processes share it; an in-process one would keep a signed-out user in.
SESSION_ENGINE = "portal.sessions"

# --- Background work (portal/background.py, `manage.py work`) ----------------------------------------------------

TASKS_BACKEND = env.str("TASKS_BACKEND", default="database")  # or redis, at REDIS_URL, or else CACHE_URL
if TASKS_BACKEND not in ("database", "redis"):
    raise ImproperlyConfigured("TASKS_BACKEND must be database or redis.")
TASK_QUEUES = ["default", "bulk"]  # bulk: what takes minutes, so that others need not wait for it
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": TASK_QUEUES}}
if TASKS_BACKEND == "redis":
    REDIS_URL = env.str("REDIS_URL", default=env.str("CACHE_URL", default=""))
    if not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("TASKS_BACKEND is redis: REDIS_URL must be redis://… or rediss://…")
    INSTALLED_APPS.insert(INSTALLED_APPS.index("django_tasks"), "django_rq")
    TASKS["default"]["BACKEND"] = "django_tasks_rq.RQBackend"
    REDIS_URL += ("&" if "?" in REDIS_URL else "?") + "socket_connect_timeout=1&socket_timeout=5"
    # No pickles in Redis, and no time limit: a step that hangs is seen on the console's page.
    RQ_QUEUES = {name: {"URL": REDIS_URL, "SERIALIZER": "json", "DEFAULT_TIMEOUT": -1} for name in TASK_QUEUES}
    RQ_SHOW_ADMIN_LINK = False
# How long a worker may be silent before others take its work over.
WORKER_LEASE = timedelta(seconds=env.int("WORKER_LEASE_SECONDS", default=30))
# What a worker does again and again: a function, and the seconds between two runs (portal/periodic.py).
PERIODIC_WORK = {
    "authapi.notices.deliver_due": 2,
    "authapi.sealing.seal_all": 10,
    "authapi.verification.ask_regularly": env.int("VERIFY_LEDGER_SECONDS", default=24 * 60 * 60),
    "authapi.error_groups.gather": 30,
    "portal.tallying.tally": 30,
    "portal.tending.tend": env.int("TEND_SECONDS", default=60),
    "portal.tending.tidy": 24 * 60 * 60,
    "portal.background.forget": 60 * 60,
}
PERIODIC_WORK = {name: seconds for name, seconds in PERIODIC_WORK.items() if seconds}  # 0: never

MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL = "/media/"
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
# This machine serves files as they stand in the checkout; a public host what collectstatic hashed and compressed.
WHITENOISE_USE_FINDERS = not PUBLIC
warnings.filterwarnings("ignore", "No directory at", UserWarning)  # whitenoise means STATIC_ROOT, see above
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PUBLIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
# 64 kB for a body (wire.md 3 says clear errors, the issue says 64 kB); uploads are counted apart, by the form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024

# --- People and sessions --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["portal.auth.LoginIdBackend"]
LOGIN_URL = "/accounts/login/"
SIGN_IN_TRIES = env.int("SIGN_IN_TRIES", default=10)  # portal/sign_in.py
SIGN_IN_TRIES_OF_ADDRESS = env.int("SIGN_IN_TRIES_PER_ADDRESS", default=100)
# How long ago a password may have been typed for what asks for a recent sign-in (portal/recent_sign_in.py).
RECENT_SIGN_IN = timedelta(seconds=env.int("RECENT_SIGN_IN_SECONDS", default=300))
ACCOUNT_DELETION_DAYS = env.int("ACCOUNT_DELETION_DAYS", default=14)  # to change one's mind, portal/erasure.py
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# --- Second factors of operators (portal/second_factor.py): allauth keeps them; none of its pages is mounted ----

MFA_ADAPTER = "portal.authenticators.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_ALLOW_UNVERIFIED_EMAIL = True
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"

# --- Words and time -------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("zh-hans", "简体中文"),
    ("id", "Bahasa Indonesia"),
    ("fil", "Filipino"),
    ("ms", "Bahasa Melayu"),
    ("th", "ไทย"),
    ("ar", "العربية"),
]
# Django does not know it yet; what it says itself is translated in our own catalogue (portal/django_words.py).
LANG_INFO.setdefault("fil", {"bidi": False, "code": "fil", "name": "Filipino", "name_local": "Filipino"})
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")  # in which pages show times, such as Asia/Manila
USE_TZ = True
PHONE_REGION = env.str("PHONE_REGION", default="PH")  # for numbers typed without a country code

# --- The contract (wire.md) -----------------------------------------------------------------------------------

SCOPES_FILE = env.str("SCOPES_FILE", default="")
GATEWAY_PREFIXES = env.list(
    "GATEWAY_PREFIXES",
    default=["", "/ams/api", "/ams/sandbox/api", "/aps/api", "/api/open", "/miniprogram/api"],
)
AUTH_CODE_LIFETIME = timedelta(seconds=env.int("AUTH_CODE_SECONDS", default=300))
CONSENT_LIFETIME = timedelta(seconds=env.int("CONSENT_SECONDS", default=600))
ACCESS_TOKEN_LIFETIME = timedelta(seconds=env.int("ACCESS_TOKEN_SECONDS", default=3600))
REFRESH_TOKEN_IDLE_LIFETIME = timedelta(days=env.int("REFRESH_TOKEN_IDLE_DAYS", default=30))
# How long a refresh may be repeated whose answer was lost (README, Tokens); 0 seconds: never.
REFRESH_GRACE = timedelta(seconds=env.int("REFRESH_GRACE_SECONDS", default=10))
REFRESH_TOKEN_ABSOLUTE_LIFETIME = timedelta(days=env.int("REFRESH_TOKEN_ABSOLUTE_DAYS", default=180))
REQUEST_TIME_WINDOW = timedelta(seconds=env.int("REQUEST_TIME_WINDOW_SECONDS", default=900))
LIMIT_CLIENT = env.int("LIMIT_CLIENT_PER_MINUTE", default=300)  # failed calls (trust 19, authapi/limits.py)
LIMIT_ADDRESS = env.int("LIMIT_ADDRESS_PER_MINUTE", default=1000)
LIMIT_PREFIX = env.int("LIMIT_SECRET_PER_MINUTE", default=100)
# How often a process writes down who read what, and how long its calls took (authapi/counting.py): what is lost when
# it is killed.
ACCESS_COUNT_SECONDS = env.int("ACCESS_COUNT_SECONDS", default=30)
# After how many days a permission nobody used is marked, and its user reminded; 0: never.
GRANT_UNUSED_REMIND = timedelta(days=env.int("GRANT_UNUSED_REMIND_DAYS", default=90))
# After how many it ends, a week after the reminder at the earliest (portal/tending.py); 0: never.
GRANT_UNUSED_EXPIRE = timedelta(days=env.int("GRANT_UNUSED_EXPIRE_DAYS", default=365))
RETENTION = timedelta(days=env.int("RETENTION_DAYS", default=30))  # dead codes and tokens, before `cleanup`

# --- django-oauth-toolkit: keeps the codes and tokens, hashed; none of its views is mounted ---------------------

OAUTH2_PROVIDER_APPLICATION_MODEL = "portal.MiniProgram"
OAUTH2_PROVIDER_GRANT_MODEL = "authapi.AuthCode"
OAUTH2_PROVIDER = {
    "SCOPES": {},
    "DEFAULT_SCOPES": [],
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": int(AUTH_CODE_LIFETIME.total_seconds()),
    "ACCESS_TOKEN_EXPIRE_SECONDS": int(ACCESS_TOKEN_LIFETIME.total_seconds()),
    "REFRESH_TOKEN_EXPIRE_SECONDS": int(REFRESH_TOKEN_IDLE_LIFETIME.total_seconds()),
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
    "APPLICATION_ADMIN_CLASS": "portal.admin.mini_programs.MiniProgramAdmin",
    "GRANT_ADMIN_CLASS": "authapi.admin.AuthCodeAdmin",
    "ACCESS_TOKEN_ADMIN_CLASS": "authapi.admin.AccessTokenAdmin",
    "REFRESH_TOKEN_ADMIN_CLASS": "authapi.admin.RefreshTokenAdmin",
    "ID_TOKEN_ADMIN_CLASS": "authapi.admin.IDTokenAdmin",
}

REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "authapi.schema.WireSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Super-app authorization API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "PREPROCESSING_HOOKS": ["authapi.schema.endpoints"],
    "POSTPROCESSING_HOOKS": ["authapi.schema.describe"],
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None, "defaultModelsExpandDepth": 0},
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Safety ---------------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = False  # TLS ends at the proxy, and a redirect would break a signed POST (README, deploy notes)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PUBLIC else None
SECURE_HSTS_SECONDS = 31536000 if PUBLIC else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PUBLIC
SECURE_HSTS_PRELOAD = PUBLIC
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = PUBLIC
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # SECURE_SSL_REDIRECT, see above

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Watching: none of it ever holds a secret (README, Watching) ------------------------------------------------

RELEASE = env.str("RELEASE", default="")  # which build this is: a tag, a commit
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
if LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured("LOG_FORMAT is neither line nor json.")
LOG_REQUESTS = env.bool("LOG_REQUESTS", default=LOG_FORMAT == "json")
_to_console = {"handlers": ["console"], "propagate": False}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"trace": {"()": "portal.middleware.TraceIdFilter"}},
    "formatters": {"line": {"()": "portal.logs.LineFormatter"}, "json": {"()": "portal.logs.JsonLineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["trace"], "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
    "loggers": {
        "portal.requests": {**_to_console, "level": "INFO" if LOG_REQUESTS else "CRITICAL"},
        **({"_granian": _to_console} if LOG_FORMAT == "json" else {}),
    },
}

METRICS_TOKEN = env.str("METRICS_TOKEN", default="").strip()
METRICS_PORT = env.int("METRICS_PORT", default=0)  # of a process that answers no requests: a worker's
METRICS_FOLDER = env.str("PROMETHEUS_MULTIPROC_DIR", default="")
TRACES_URL = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")  # where traces go (portal/tracing.py)
SENTRY_DSN = env.str("SENTRY_DSN", default="").strip()  # where unforeseen errors are told (portal/sentry.py)
