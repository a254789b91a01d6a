"""A process that is about to end and wants no new visitors: `tts.health.readyz` says so."""

from __future__ import annotations

from audiocache.forks import renew_in_child


class _Process:
    """Whether this process drains. Its children do not by themselves."""

    def __init__(self) -> None:
        self.drains = False
        renew_in_child(self)

    def after_fork(self) -> None:
        """A child begins."""
        self.drains = False


_process = _Process()


def drain() -> None:
    """From now on this process is not ready for more; what it has begun goes on."""
    _process.drains = True


def is_draining() -> bool:
    """Has `drain` been called in this process?"""
    return _process.drains
