"""The operators' roles: auditor reads, support revokes one, manager approves, suspends and revokes many (trust 33)."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

# Permissions by app. Each role has what the one before it has.
VIEWED = {
    "portal": (
        "user",
        "loginid",
        "contact",
        "address",
        "merchant",
        "merchantkey",
        "sector",
        "miniprogram",
        "scopeapproval",
        "miniprogramgrant",
        "consentdecision",
        "merchantnotice",
    ),
    "authapi": ("authcode", "erroraudit"),
    "oauth2_provider": ("accesstoken", "refreshtoken"),
    "admin": ("logentry",),
}
ROLES = {
    "auditor": [(app, f"view_{model}") for app, models in VIEWED.items() for model in models],
    "support": [("portal", "revoke_grant")],
    "manager": [
        ("portal", name)
        for name in (
            "bulk_revoke_grants",
            "approve_scopes",
            "suspend_miniprogram",
            "add_miniprogram",
            "change_miniprogram",
            "add_scopeapproval",
            "change_scopeapproval",
            "add_merchant",
            "change_merchant",
            "add_merchantkey",
            "change_merchantkey",
            "add_sector",
            "change_user",
            "change_merchantnotice",
        )
    ],
}


def make_roles(apps, schema_editor):
    """Permissions come with `post_migrate`, which is too late for us: make them now, as that would."""
    alias = schema_editor.connection.alias
    for label in VIEWED:
        config = apps.get_app_config(label)
        config.models_module = True  # otherwise taken for an app without models
        create_permissions(config, verbosity=0, apps=apps, using=alias)
        config.models_module = None
    Group = apps.get_model("auth", "Group").objects.using(alias)
    Permission = apps.get_model("auth", "Permission").objects.using(alias)
    held = []
    for role, permissions in ROLES.items():
        held += [
            Permission.get(content_type__app_label=app, codename=codename) for app, codename in permissions
        ]
        group, _made = Group.get_or_create(name=role)
        group.permissions.add(*held)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0001_initial"),
        ("authapi", "0002_initial"),
        ("oauth2_provider", "0022_refreshtoken_token_family_index"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
