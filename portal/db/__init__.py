"""What is particular to a database."""

from portal.db.connection import (
    describe_connection,
    describe_failure,
    is_pool_exhausted,
    is_unable,
    open_connection,
    release_connection,
)
