"""Tags for templates: `{% load speech %}`."""
