"""Support and managers may see personal data in full, for a reason that is written down (trust 32, 33)."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = ("support", "manager")


def add_reveals(apps, schema_editor):
    """Permissions come with `post_migrate`, which is too late for us: make them now, as that would."""
    alias = schema_editor.connection.alias
    config = apps.get_app_config("portal")
    config.models_module = True  # otherwise taken for an app without models
    create_permissions(config, verbosity=0, apps=apps, using=alias)
    config.models_module = None
    Group = apps.get_model("auth", "Group").objects.using(alias)
    Permission = apps.get_model("auth", "Permission").objects.using(alias)
    reveal = Permission.get(content_type__app_label="portal", codename="reveal_personal_data")
    for role in ROLES:
        group, _made = Group.get_or_create(name=role)
        group.permissions.add(reveal)


class Migration(migrations.Migration):
    dependencies = [("portal", "0018_console_indexes")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": (
                    ("change_roles", "Can make operators and give them roles"),
                    ("reset_second_factor", "Can reset the second factor of operators"),
                    ("reveal_personal_data", "Can see personal data in full, for a reason"),
                ),
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunPython(add_reveals, migrations.RunPython.noop),
    ]
