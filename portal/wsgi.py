"""What granian serves: `granian --interface wsgi portal.wsgi:application`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
if settings.TRACES_URL:
    from portal import tracing

    tracing.start()
application = get_wsgi_application()
if settings.TRUSTED_PROXIES:
    # The caller's address, for the error audit, is what the proxy says; anybody else's X-Forwarded-For is ignored.
    application = wrap_wsgi_with_proxy_headers(application, trusted_hosts=settings.TRUSTED_PROXIES)
