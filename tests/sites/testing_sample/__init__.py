"""A project whose own tests use `audiocache.testing`. Run by tests/audiocache/test_testing.py."""
