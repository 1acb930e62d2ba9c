"""The ledger's verification in the operators' roles: everybody looks, and has it run (trust 33)."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = {
    "auditor": ("view_ledgercheck", "verify_ledger"),
    "support": ("view_ledgercheck", "verify_ledger"),
    "manager": ("view_ledgercheck", "verify_ledger"),
    "administrator": ("view_ledgercheck", "verify_ledger"),
}


def add_ledger_checks(apps, schema_editor):
    """Permissions come with `post_migrate`, which is too late for us: make them now, as that would."""
    alias = schema_editor.connection.alias
    config = apps.get_app_config("authapi")
    config.models_module = True  # otherwise taken for an app without models
    create_permissions(config, verbosity=0, apps=apps, using=alias)
    config.models_module = None
    Group = apps.get_model("auth", "Group").objects.using(alias)
    Permission = apps.get_model("auth", "Permission").objects.using(alias)
    for role, codenames in ROLES.items():
        group, _made = Group.get_or_create(name=role)
        group.permissions.add(*Permission.filter(content_type__app_label="authapi", codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [("authapi", "0007_ledger_checks"), ("portal", "0017_background_roles")]

    operations = [migrations.RunPython(add_ledger_checks, migrations.RunPython.noop)]
