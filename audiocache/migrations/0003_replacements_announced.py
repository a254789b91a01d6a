from django.db import migrations

from audiocache.migrations._triggers import create_announcements, drop_announcements


class Migration(migrations.Migration):
    dependencies = [
        ("audiocache", "0002_refused_clip"),
    ]

    operations = [
        migrations.RunPython(create_announcements, drop_announcements),
    ]
