"""Seals, and a MAC on every decision."""

import django.utils.timezone
from django.db import migrations, models

from portal.models.seals import vouch_for_all


def vouch(apps, schema_editor):
    """For the rows that were there before, once: from now on a row without a MAC is a forged one."""
    vouch_for_all(apps.get_model("portal", "ConsentDecision"), schema_editor.connection.alias)


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0003_personal_data_encrypted'),
    ]

    operations = [
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('chain', models.CharField(max_length=64)),
                ('number', models.PositiveBigIntegerField()),
                ('last_pk', models.BigIntegerField()),
                ('rows', models.BinaryField()),
                ('previous', models.CharField(blank=True, max_length=64)),
                ('sealed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('hash', models.CharField(max_length=64)),
                ('signature', models.BinaryField()),
                ('key_version', models.CharField(max_length=16)),
            ],
            options={
                'ordering': ('chain', 'number'),
            },
        ),
        migrations.AddField(
            model_name='consentdecision',
            name='mac',
            field=models.CharField(default='', editable=False, max_length=32),
        ),
        migrations.AlterField(
            model_name='consentdecision',
            name='at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='when'),
        ),
        migrations.AddIndex(
            model_name='consentdecision',
            index=models.Index(fields=['-at'], name='portal_cons_at_538c53_idx'),
        ),
        migrations.AddConstraint(
            model_name='seal',
            constraint=models.UniqueConstraint(fields=('chain', 'number'), name='one_seal_per_number'),
        ),
        migrations.RunPython(vouch, migrations.RunPython.noop),
    ]
