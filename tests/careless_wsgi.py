"""What granian serves with tests/careless.py: `granian tests.careless_wsgi:application`."""

import os

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
settings.ROOT_URLCONF = "tests.careless"
from portal.wsgi import application  # noqa: E402, F401
