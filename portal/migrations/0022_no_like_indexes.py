"""Django gives each indexed text column of PostgreSQL a second index, for LIKE 'prefix%'. Nothing here asks that way,
and each decision and each grant paid for it."""

from django.db import migrations

OURS = r"""
SELECT format('DROP INDEX %I', indexname) FROM pg_indexes
WHERE schemaname = current_schema() AND indexname LIKE '%\_like' AND tablename ~ '^(portal|authapi|oauth2_provider)_'
"""


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(OURS)
            for (statement,) in cursor.fetchall():
                cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('authapi', '0008_ledger_check_roles'),
        ('portal', '0021_walk_by_user'),
    ]

    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
