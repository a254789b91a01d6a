from django.db import migrations, models

from audiocache.migrations._triggers import create_triggers, drop_triggers


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=64)),
                ("deadline", models.BigIntegerField(db_index=True)),
                ("outcome", models.TextField(default="")),
            ],
            options={
                "db_table": "audiocache_lease",
            },
        ),
        migrations.CreateModel(
            name="Removal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.BigIntegerField(db_index=True)),
                ("kind", models.CharField(max_length=16)),
                ("value", models.TextField(default="")),
            ],
            options={
                "db_table": "audiocache_removal",
            },
        ),
        migrations.CreateModel(
            name="State",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("value", models.TextField(default="")),
            ],
            options={
                "db_table": "audiocache_state",
            },
        ),
        migrations.CreateModel(
            name="Total",
            fields=[
                ("slot", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("entries", models.BigIntegerField(default=0)),
                ("bytes", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "audiocache_total",
            },
        ),
        migrations.CreateModel(
            name="AudioCacheEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=64, unique=True, verbose_name="key")),
                ("namespace", models.TextField(blank=True, default="", verbose_name="namespace")),
                (
                    "text_digest",
                    models.CharField(db_index=True, max_length=64, verbose_name="text digest"),
                ),
                ("text", models.TextField(blank=True, null=True, verbose_name="text")),
                ("variant", models.TextField(blank=True, default="", verbose_name="variant")),
                ("provider", models.TextField(blank=True, default="", verbose_name="provider")),
                ("model", models.TextField(blank=True, default="", verbose_name="model")),
                ("voice", models.TextField(blank=True, default="", verbose_name="voice")),
                ("language", models.TextField(blank=True, default="", verbose_name="language")),
                (
                    "content_type",
                    models.TextField(blank=True, default="", verbose_name="content type"),
                ),
                ("size", models.BigIntegerField(verbose_name="bytes")),
                (
                    "duration_ms",
                    models.BigIntegerField(blank=True, null=True, verbose_name="duration (ms)"),
                ),
                ("storage_name", models.TextField(blank=True, default="")),
                ("checksum", models.BigIntegerField()),
                ("audio_sha256", models.CharField(blank=True, default="", max_length=64)),
                ("source_key", models.CharField(db_index=True, max_length=64)),
                ("transcoded_from", models.CharField(blank=True, default="", max_length=64)),
                ("created", models.BigIntegerField(verbose_name="created")),
                (
                    "expires",
                    models.BigIntegerField(default=9223372036854775807, verbose_name="expires"),
                ),
                (
                    "keep_until",
                    models.BigIntegerField(
                        db_index=True, default=9223372036854775807, verbose_name="kept until"
                    ),
                ),
                ("used", models.BigIntegerField(verbose_name="last used")),
                ("hits", models.BigIntegerField(default=0, verbose_name="hits")),
                ("pinned", models.BooleanField(default=False, verbose_name="pinned")),
                ("revision", models.BigIntegerField(default=1)),
                ("cost", models.BigIntegerField(blank=True, null=True, verbose_name="cost")),
                (
                    "billed_units",
                    models.BigIntegerField(blank=True, null=True, verbose_name="billed units"),
                ),
                ("tags", models.TextField(blank=True, default="", verbose_name="tags")),
                ("schema_version", models.SmallIntegerField(default=1)),
                ("timings", models.TextField(blank=True, default="")),
                ("audio", models.BinaryField(null=True)),
            ],
            options={
                "verbose_name": "audio cache entry",
                "verbose_name_plural": "audio cache entries",
                "db_table": "audiocache_entry",
                "permissions": [("view_text", "Can see the texts of audio cache entries")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("pinned", False)),
                        fields=["used", "id"],
                        name="audiocache_lru",
                    ),
                    models.Index(
                        condition=models.Q(("pinned", True)),
                        fields=["id"],
                        name="audiocache_pinned",
                    ),
                    models.Index(fields=["expires"], name="audiocache_expires"),
                    models.Index(fields=["provider", "model", "voice"], name="audiocache_voice"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Count",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("resolution", models.CharField(max_length=1)),
                ("period", models.BigIntegerField(default=0)),
                ("value", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "audiocache_count",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("resolution", "period", "name"), name="audiocache_count_of_period"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tag", models.TextField()),
                ("key", models.CharField(db_index=True, max_length=64)),
            ],
            options={
                "db_table": "audiocache_tag",
                "constraints": [
                    models.UniqueConstraint(fields=("tag", "key"), name="audiocache_tag_of_entry")
                ],
            },
        ),
        migrations.RunPython(create_triggers, drop_triggers),
    ]
