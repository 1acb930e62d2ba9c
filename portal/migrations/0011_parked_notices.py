from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portal", "0010_tallies")]

    operations = [
        migrations.AddIndex(
            model_name="merchantnotice",
            index=models.Index(condition=models.Q(("state", "PARKED")), fields=["due_at"], name="notices_parked"),
        ),
    ]
