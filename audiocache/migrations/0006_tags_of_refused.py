from django.db import migrations, models

from audiocache.migrations._statistics import leave_out_later


class Migration(migrations.Migration):
    dependencies = [
        ("audiocache", "0005_no_samples"),
    ]

    operations = [
        migrations.AddField(
            model_name="refusedclip",
            name="tags",
            field=models.TextField(blank=True, null=True, verbose_name="tags"),
        ),
        migrations.RunPython(leave_out_later, migrations.RunPython.noop),
    ]
