"""A page to try speech on: type a sentence, hear it, see who answered and what it cost."""
