"""Mass revocations in the operators' roles: everybody reads them, managers ask and approve (trust 33)."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = {
    "auditor": ("view_massrevocation",),
    "support": ("view_massrevocation",),
    "manager": ("view_massrevocation", "add_massrevocation", "approve_massrevocation"),
}


def add_mass_revocations(apps, schema_editor):
    """Permissions come with `post_migrate`, which is too late for us: make them now, as that would."""
    alias = schema_editor.connection.alias
    config = apps.get_app_config("portal")
    config.models_module = True  # otherwise taken for an app without models
    create_permissions(config, verbosity=0, apps=apps, using=alias)
    config.models_module = None
    Group = apps.get_model("auth", "Group").objects.using(alias)
    Permission = apps.get_model("auth", "Permission").objects.using(alias)
    for role, codenames in ROLES.items():
        group, _made = Group.get_or_create(name=role)
        group.permissions.add(*Permission.filter(content_type__app_label="portal", codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [("portal", "0008_mass_revocations")]

    operations = [migrations.RunPython(add_mass_revocations, migrations.RunPython.noop)]
