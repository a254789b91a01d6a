"""The README's first screen, run from the built wheel in a project of somebody's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import wave
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest

from audiocache.conf import CacheConfig
from tts.conf import TTSConfig

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
FIRST_SCREEN = README.split("## See it run")[0]
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


class Site:
    """A new Django project outside the repository, on the unpacked wheel."""

    def __init__(self, folder: Path, unpacked: Path) -> None:
        self.folder = folder / "mysite"
        self.packages = folder / "packages"
        self.packages.mkdir()
        self.env = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(self.packages)}
        installed = Path(sysconfig.get_path("purelib"))
        # An editable install has a .dist-info of the wheel's name.
        packages = {path.name: path for of in (installed, unpacked) for path in of.iterdir()}
        for name, package in packages.items():
            (self.packages / name).symlink_to(package)
        self.run("-m", "django", "startproject", "mysite", cwd=folder)
        settings = self.folder / "mysite/settings.py"
        apps = re.search(r"INSTALLED_APPS = \[.*?\]", FIRST_SCREEN, re.DOTALL)
        assert apps is not None
        added = apps[0].replace("INSTALLED_APPS =", "INSTALLED_APPS +=")
        settings.write_text(f"{settings.read_text()}\n{added}\n")

    def run(
        self, *arguments: str, cwd: Path | None = None, fails: bool = False
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            # Without its own site-packages: what the site has is in PYTHONPATH, and no more.
            [sys._base_executable, "-S", *arguments],  # type: ignore[attr-defined]
            cwd=cwd or self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done

    def hide(self, *modules: str) -> None:
        """As if these were not installed."""
        for module in modules:
            (self.packages / module).unlink()


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's packages, once: each process would compile a new copy."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "packages")
    return folder / "packages"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, unpacked: Path) -> Site:
    site = Site(tmp_path_factory.mktemp("site"), unpacked)
    site.run("manage.py", "migrate")
    return site


def test_the_first_screen_runs_from_the_wheel(site: Site) -> None:
    where = site.run("-c", "import audiocache, tts; print(audiocache.__file__, tts.__file__)")
    assert all(str(site.packages) in path for path in where.stdout.split())
    site.run("manage.py", "speak", "Hello", "-o", "hello.wav")
    with wave.open(str(site.folder / "hello.wav")) as sound:
        assert sound.getnframes() > 1000

    service, caching = re.findall(r"```python\n(from .*?)```", FIRST_SCREEN, re.DOTALL)
    prelude = "def my_voice(text): return b'sound of ' + text.encode()\n"
    script = f"{service}\nassert audio[:4] == b'RIFF'\n{prelude}{caching}\nprint(audio, end='')"
    assert site.run("manage.py", "shell", "-v", "0", "-c", script).stdout == "b'sound of Hello'"


def test_a_second_process_answers_from_the_database(site: Site) -> None:
    site.run("manage.py", "speak", "Good morning", "-o", "one.wav")
    second = site.run("manage.py", "speak", "Good morning", "-o", "two.wav")
    assert "persistent" in second.stdout + second.stderr
    assert (site.folder / "one.wav").read_bytes() == (site.folder / "two.wav").read_bytes()
    assert (site.folder / "cache/audio_cache.db").exists()


def test_without_extras_the_checks_name_what_to_install(tmp_path: Path, unpacked: Path) -> None:
    site = Site(tmp_path, unpacked)
    site.hide("espeakng_loader", "django_redis", "requests", "tenacity", "celery", "rich", "av")
    site.run("manage.py", "migrate", "--skip-checks")
    said = site.run("manage.py", "check", fails=True).stderr
    assert "pip install 'django-audiocache[espeak]'" in said
    site.env["CACHE_REDIS_URL"] = "redis://127.0.0.1:1"
    said = site.run("manage.py", "check", fails=True).stderr
    assert "pip install 'django-audiocache[redis]'" in said


def test_the_settings_table_names_every_setting() -> None:
    table = README.split("## Settings")[1].split("## For newcomers")[0]
    redis_parts = {"host", "port", "db", "password", "alias"}
    for config in (CacheConfig, TTSConfig):
        for field in fields(config):
            if field.name.removeprefix("redis_") in redis_parts:
                assert f"_{field.name.removeprefix('redis_').upper()}`" in table
            else:
                assert config.env_name(field.name) in table, field.name


@pytest.mark.parametrize("block", BLOCKS)
def test_every_python_block_is_python(block: str) -> None:
    compile(block, "README.md", "exec")


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target
