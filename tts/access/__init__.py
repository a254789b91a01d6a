"""Who may ask for speech over HTTP: API keys as rows, or a site's own way.

header -> token -> row (remembered for a second) -> Caller -> his scope, his day's characters
"""
