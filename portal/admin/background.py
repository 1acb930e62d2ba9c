"""Background work in the operator's console."""

import django_tasks_db.admin  # noqa: F401  registers the library's rows, which nobody needs to see
from django.contrib import admin
from django_tasks_db.models import DBTaskResult

admin.site.unregister(DBTaskResult)
