"""Personal data at rest is encrypted, and found by a blind index.

All in one transaction, 1,000 rows in memory at a time. Nobody can write meanwhile; going back decrypts everything.
"""

import django.contrib.auth.validators
from django.db import migrations

import portal.encryption
from portal.encryption import blind_index, decrypt, encrypt

BATCH = 1000
# Table -> its encrypted columns, and the one of them that has a blind index.
TABLES = {
    "portal_user": (
        ("username", "nickname", "full_name", "first_name", "middle_name", "last_name", "birth_date", "extra"),
        "username",
    ),
    "portal_loginid": (("value",), "value"),
    "portal_contact": (("value",), ""),
    "portal_address": (("label", "state", "city", "address1", "address2", "zip_code"), ""),
}


def encrypt_all(apps, schema_editor):
    for table, (columns, indexed) in TABLES.items():
        written = [*columns, f"{indexed}_index"] if indexed else columns
        for rows in batches(schema_editor.connection, table, columns):
            rewrite(schema_editor.connection, table, written, [encrypted(columns, indexed, *row) for row in rows])


def encrypted(columns, indexed, pk, *values):
    texts = ["" if column == "extra" and value == "{}" else value for column, value in zip(columns, values)]
    stored = [None if text is None else encrypt(text) for text in texts]
    index = [blind_index(values[columns.index(indexed)])] if indexed else []
    return [*stored, *index, pk]


def decrypt_all(apps, schema_editor):
    for table, (columns, _indexed) in TABLES.items():
        for rows in batches(schema_editor.connection, table, columns):
            rewrite(schema_editor.connection, table, columns, [decrypted(columns, *row) for row in rows])


def decrypted(columns, pk, *values):
    texts = [None if value is None else decrypt(value) for value in values]
    return [*("{}" if column == "extra" and text == "" else text for column, text in zip(columns, texts)), pk]


def batches(connection, table, columns):
    """Lists of (pk, *columns), in the order of pk."""
    last = 0
    query = f"SELECT id, {', '.join(columns)} FROM {table} WHERE id > %s ORDER BY id LIMIT {BATCH}"
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, [last])
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def rewrite(connection, table, columns, rows):
    """Set these columns of each row; its pk stands last."""
    assignments = ", ".join(f"{column} = %s" for column in columns)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {assignments} WHERE id = %s", rows)


class Migration(migrations.Migration):
    dependencies = [("portal", "0002_roles")]

    operations = [
        migrations.RemoveConstraint(model_name="loginid", name="one_person_per_login_id"),
        migrations.AddField(
            model_name='loginid',
            name='value_index',
            field=portal.encryption.BlindIndexField(blank=True, editable=False, max_length=64, source='value'),
        ),
        migrations.AddField(
            model_name='user',
            name='username_index',
            field=portal.encryption.BlindIndexField(blank=True, editable=False, max_length=64, source='username'),
        ),
        migrations.AlterField(
            model_name='address',
            name='address1',
            field=portal.encryption.EncryptedCharField(max_length=256, verbose_name='street and number'),
        ),
        migrations.AlterField(
            model_name='address',
            name='address2',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=256, verbose_name='building, floor, unit'),
        ),
        migrations.AlterField(
            model_name='address',
            name='city',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=128, verbose_name='city'),
        ),
        migrations.AlterField(
            model_name='address',
            name='label',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=64, verbose_name='label'),
        ),
        migrations.AlterField(
            model_name='address',
            name='state',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=128, verbose_name='state or province'),
        ),
        migrations.AlterField(
            model_name='address',
            name='zip_code',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=32, verbose_name='postal code'),
        ),
        migrations.AlterField(
            model_name='contact',
            name='value',
            field=portal.encryption.EncryptedCharField(max_length=64, verbose_name='value'),
        ),
        migrations.AlterField(
            model_name='loginid',
            name='value',
            field=portal.encryption.EncryptedCharField(max_length=64, verbose_name='value'),
        ),
        migrations.AlterField(
            model_name='user',
            name='birth_date',
            field=portal.encryption.EncryptedDateField(blank=True, null=True, verbose_name='birthday'),
        ),
        migrations.AlterField(
            model_name='user',
            name='extra',
            field=portal.encryption.EncryptedJSONField(blank=True, default=dict, help_text='Values of the fields that scopes of SCOPES_FILE open, by field name.', verbose_name='fields of host-defined scopes'),
        ),
        migrations.AlterField(
            model_name='user',
            name='first_name',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=32, verbose_name='first name'),
        ),
        migrations.AlterField(
            model_name='user',
            name='full_name',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=128, verbose_name='full name'),
        ),
        migrations.AlterField(
            model_name='user',
            name='last_name',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=32, verbose_name='last name'),
        ),
        migrations.AlterField(
            model_name='user',
            name='middle_name',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=32, verbose_name='middle name'),
        ),
        migrations.AlterField(
            model_name='user',
            name='nickname',
            field=portal.encryption.EncryptedCharField(blank=True, max_length=256, verbose_name='nickname'),
        ),
        migrations.AlterField(
            model_name='user',
            name='username',
            field=portal.encryption.EncryptedCharField(max_length=150, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username'),
        ),
        migrations.RunPython(encrypt_all, decrypt_all),
        migrations.AddConstraint(
            model_name="user",
            constraint=portal.encryption.UniqueByIndex(
                fields=("username",),
                name="one_person_per_login",
                violation_error_message="Somebody else signs in with this already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="loginid",
            constraint=portal.encryption.UniqueByIndex(
                fields=("value", "type"),
                name="one_person_per_login_id",
                violation_error_message="Somebody else signs in with this already.",
            ),
        ),
    ]
