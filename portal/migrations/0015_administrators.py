"""The role administrator: gives and takes operators' roles, freezes people, resets second factors (trust 33).

It stands beside the others, not above them: it reads like an auditor, and neither revokes, approves nor suspends.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations

EVERYBODY = (("auth", "view_group"),)
ADMINISTRATOR = (("portal", "change_roles"), ("portal", "reset_second_factor"), ("portal", "change_user"))


def add_administrators(apps, schema_editor):
    """Permissions come with `post_migrate`, which is too late for us: make them now, as that would."""
    alias = schema_editor.connection.alias
    for label in ("portal", "auth"):
        config = apps.get_app_config(label)
        config.models_module = True  # otherwise taken for an app without models
        create_permissions(config, verbosity=0, apps=apps, using=alias)
        config.models_module = None
    Group = apps.get_model("auth", "Group").objects.using(alias)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    administrator, _made = Group.get_or_create(name="administrator")
    administrator.permissions.add(*Group.get(name="auditor").permissions.all())
    for app, codename in ADMINISTRATOR:
        administrator.permissions.add(permissions.get(content_type__app_label=app, codename=codename))
    for app, codename in EVERYBODY:
        for group in Group.filter(name__in=("auditor", "support", "manager", "administrator")):
            group.permissions.add(permissions.get(content_type__app_label=app, codename=codename))


class Migration(migrations.Migration):
    dependencies = [("portal", "0014_export_roles"), ("authapi", "0006_error_group_roles")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": (
                    ("change_roles", "Can make operators and give them roles"),
                    ("reset_second_factor", "Can reset the second factor of operators"),
                ),
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunPython(add_administrators, migrations.RunPython.noop),
    ]
