"""`make demo`: the whole line on real phrases, measured, checked and left as files."""
