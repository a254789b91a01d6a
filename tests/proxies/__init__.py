"""Between a client and a real server: what a network and a pooler do to a connection."""
