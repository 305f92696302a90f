"""How gunicorn serves the portal; each setting may be overridden on its command line."""

import os

# Settings are read here, too, so that a wrong one stops the start and not one worker process after the other.
from portal import settings

bind = f"{settings.PORTAL_BIND}:{settings.PORT}"
# Threads, because a page waits for the database and not for the processor. A proxy waits for slow clients.
worker_class = "gthread"
workers = settings.WEB_PROCESSES
threads = settings.WEB_THREADS
timeout = 60
graceful_timeout = 30
worker_connections = 500  # of each process
limit_request_line = 8190  # the most that gunicorn knows: what is searched for stands in the address
limit_request_fields = 64
limit_request_field_size = 8190  # htmx sends the page's address in a field
forwarded_allow_ips = ",".join(map(str, settings.PORTAL_TRUSTED_PROXY))
# No other field says how a client came or where the portal lies: a trusted proxy, too, may pass on what clients send.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarder_headers = ""
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 (heartbeats must not wait for a disk)
logger_class = "portal.web.logs.Logger"
accesslog = None if settings.PORTAL_LOCAL else "-"
# gunicorn's own format, and the id by which the events of a page are found.
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %({x-request-id}o)s'
loglevel = "warning" if settings.PORTAL_LOCAL else "info"
