"""Exports in the operators' roles: auditors and managers take lists along, support does not (trust 33)."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = ("auditor", "manager")


def add_exports(apps, schema_editor):
    """Permissions come with `post_migrate`, which is too late for us: make them now, as that would."""
    alias = schema_editor.connection.alias
    config = apps.get_app_config("portal")
    config.models_module = True  # otherwise taken for an app without models
    create_permissions(config, verbosity=0, apps=apps, using=alias)
    config.models_module = None
    Group = apps.get_model("auth", "Group").objects.using(alias)
    permission = apps.get_model("auth", "Permission").objects.using(alias).get(
        content_type__app_label="portal", codename="export_rows"
    )
    for role in ROLES:
        group, _made = Group.get_or_create(name=role)
        group.permissions.add(permission)


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0013_background_work'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='consentdecision',
            options={'ordering': ('-at', '-id'), 'permissions': (('export_rows', 'Can take lists of the console along as files'),), 'verbose_name': 'decision'},
        ),
        migrations.RunPython(add_exports, migrations.RunPython.noop),
    ]
