"""Scopes are reviewed with drafts and notes, keys are tested, reports are taken and closed with an outcome."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def remember_what_stood(apps, schema_editor):
    """People may have agreed to what stands no longer: its words are kept when they change."""
    approvals = apps.get_model("portal", "ScopeApproval").objects.using(schema_editor.connection.alias)
    approvals.exclude(state="APPROVED").update(approved_version=models.F("purpose_version"))


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0011_parked_notices'),
    ]

    operations = [
        migrations.AddField(
            model_name='abusereport',
            name='assigned_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='taken'),
        ),
        migrations.AddField(
            model_name='abusereport',
            name='assigned_to',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='taken by'),
        ),
        migrations.AddField(
            model_name='abusereport',
            name='outcome',
            field=models.CharField(blank=True, choices=[('nothing', 'Nothing wrong'), ('told', 'Told the merchant'), ('suspended', 'Mini-program suspended'), ('revoked', 'Its grants revoked'), ('known', 'Known already')], default='', max_length=16, verbose_name='outcome'),
        ),
        migrations.AddField(
            model_name='merchantkey',
            name='tested_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='tested'),
        ),
        migrations.AddField(
            model_name='scopeapproval',
            name='approved_version',
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='scopeapproval',
            name='draft',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='scopeapproval',
            name='draft_state',
            field=models.CharField(blank=True, choices=[('REQUESTED', 'Waiting'), ('APPROVED', 'Approved'), ('REFUSED', 'Refused'), ('REWORD', 'Better text asked for')], default='', editable=False, max_length=16),
        ),
        migrations.AddField(
            model_name='scopeapproval',
            name='entered_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='entered'),
        ),
        migrations.AddField(
            model_name='scopeapproval',
            name='entered_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='scopeapproval',
            name='note',
            field=models.CharField(blank=True, default='', editable=False, max_length=400, verbose_name='note'),
        ),
        migrations.AlterField(
            model_name='scopeapproval',
            name='state',
            field=models.CharField(choices=[('REQUESTED', 'Waiting'), ('APPROVED', 'Approved'), ('REFUSED', 'Refused'), ('REWORD', 'Better text asked for')], default='REQUESTED', max_length=16, verbose_name='state'),
        ),
        migrations.AddIndex(
            model_name='abusereport',
            index=models.Index(fields=['created', 'mini_program', 'user'], name='reports_lately'),
        ),
        migrations.AddIndex(
            model_name='scopeapproval',
            index=models.Index(condition=models.Q(('state', 'REQUESTED'), ('draft_state', 'REQUESTED'), _connector='OR'), fields=['entered_at', 'id'], name='scopes_to_review'),
        ),
        migrations.RunPython(remember_what_stood, migrations.RunPython.noop),
    ]
