"""Real servers for the tests and the demo: Redis (or Valkey) and PostgreSQL.

They listen on loopback only, keep their data in a temporary folder and end with the process that
started them. Start them from a thread that lives as long as they shall: the kernel ends a child
when the thread that started it ends.
"""

from project.servers.accounts import Account, ServerError, unprivileged
from project.servers.postgres import PostgresServer, new_postgres, start_postgres
from project.servers.process import HOST, Server, free_port
from project.servers.programs import postgres_binary, readable, redis_binary
from project.servers.redis import RedisServer, start_redis

__all__ = [
    "HOST",
    "Account",
    "PostgresServer",
    "RedisServer",
    "Server",
    "ServerError",
    "free_port",
    "new_postgres",
    "postgres_binary",
    "readable",
    "redis_binary",
    "start_postgres",
    "start_redis",
    "unprivileged",
]
