"""What the console's lists are read by, at the size of a real super-app (portal/admin/paging.py)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


SCOPES = """
CREATE INDEX grants_scopes ON portal_miniprogramgrant
USING gin (jsonb_path_query_array(scopes, '$.keyvalue().key', '{}', true) jsonb_path_ops)
"""  # GrantQuerySet.holding


def index_scopes(apps, schema_editor):
    """Other databases have no such index, and no table that needs it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(SCOPES)


def forget_scopes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX grants_scopes")


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('portal', '0017_background_roles'),
    ]

    operations = [
        migrations.AlterField(
            model_name='consentdecision',
            name='mini_program',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL, verbose_name='mini-program'),
        ),
        migrations.AlterField(
            model_name='consentdecision',
            name='user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='consent_decisions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='miniprogramgrant',
            name='mini_program',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL, verbose_name='mini-program'),
        ),
        migrations.AddIndex(
            model_name='consentdecision',
            index=models.Index(fields=['mini_program', '-at'], name='decisions_of_program'),
        ),
        migrations.AddIndex(
            model_name='consentdecision',
            index=models.Index(fields=['act', '-at'], name='decisions_by_act'),
        ),
        migrations.AddIndex(
            model_name='consentdecision',
            index=models.Index(fields=['trace_id'], name='decisions_by_trace_id'),
        ),
        migrations.AddIndex(
            model_name='merchantnotice',
            index=models.Index(fields=['state', '-id'], name='notices_by_state'),
        ),
        migrations.AddIndex(
            model_name='miniprogramgrant',
            index=models.Index(fields=['-since'], name='grants_newest'),
        ),
        migrations.AddIndex(
            model_name='miniprogramgrant',
            index=models.Index(fields=['mini_program', '-since'], name='grants_of_program'),
        ),
        migrations.AddIndex(
            model_name='miniprogramgrant',
            index=models.Index(condition=models.Q(('ended_at', None)), fields=['-since'], name='grants_open'),
        ),
        migrations.AddIndex(
            model_name='miniprogramgrant',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['-since'], name='grants_ended'),
        ),
        migrations.AddIndex(
            model_name='miniprogramgrant',
            index=models.Index(condition=models.Q(('ended_at', None), ('paused_at__isnull', False)), fields=['-since'], name='grants_paused'),
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(fields=['status', '-id'], name='people_by_status'),
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(condition=models.Q(('is_staff', True)), fields=['-id'], name='people_on_staff'),
        ),
        migrations.RunPython(index_scopes, forget_scopes),
    ]
