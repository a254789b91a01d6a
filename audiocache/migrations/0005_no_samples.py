from django.db import migrations

from audiocache.migrations._statistics import leave_out, take_again


class Migration(migrations.Migration):
    dependencies = [
        ("audiocache", "0004_ledger"),
    ]

    operations = [
        migrations.RunPython(leave_out, take_again),
    ]
