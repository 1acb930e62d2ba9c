"""A MAC on every row of the error audit."""

import django.utils.timezone
from django.db import migrations, models

from portal.models.seals import vouch_for_all


def vouch(apps, schema_editor):
    """For the rows that were there before, once: from now on a row without a MAC is a forged one."""
    vouch_for_all(apps.get_model("authapi", "ErrorAudit"), schema_editor.connection.alias)


class Migration(migrations.Migration):

    dependencies = [
        ('authapi', '0002_initial'),
        ('portal', '0004_seals'),
    ]

    operations = [
        migrations.AddField(
            model_name='erroraudit',
            name='mac',
            field=models.CharField(default='', editable=False, max_length=32),
        ),
        migrations.AlterField(
            model_name='erroraudit',
            name='at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='when'),
        ),
        migrations.RunPython(vouch, migrations.RunPython.noop),
    ]
