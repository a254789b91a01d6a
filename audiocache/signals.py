"""Signals of the cache. None carries a text. A receiver that raises is logged by Django.

- `entry_stored`: `entry` was put by a caller or made on a miss (not for back-fills).
- `entry_removed`: by a caller; `keys` (None: all), or `field` and `value` of a group.
- `cache_built`: `cache` is the process's from now on, at its first use.
- `call_settled`: `call`, a PaidCall with its cause, was written into the ledger as it ended.
- `entry_evicted`: `keys` left the `tier`; `reason` is `evicted` (want of room) or `expired`.

The sender is the cache's class; `cache` is the cache.
"""

from __future__ import annotations

from django.dispatch import Signal

cache_built = Signal()
call_settled = Signal()
entry_stored = Signal()
entry_removed = Signal()
entry_evicted = Signal()
