"""A mass revocation walks along one_live_grant, from user to user. One that is under way begins anew: what it ended stays so."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('portal', '0020_notices_of_grants'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='miniprogramgrant',
            name='one_live_grant',
        ),
        migrations.RemoveField(
            model_name='massrevocation',
            name='grant_done',
        ),
        migrations.AddField(
            model_name='massrevocation',
            name='user_done',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name='miniprogramgrant',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('mini_program', 'user'), name='one_live_grant'),
        ),
    ]
