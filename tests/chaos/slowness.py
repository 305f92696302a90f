"""Commits of PostgreSQL that take longer than a send margin, as with a replica far away or a slow disk."""

import psycopg

SECONDS = 0.8
# Once in each transaction that claims, however many attempts. Replacing it takes no lock that others wait for.
_FUNCTION = """
CREATE OR REPLACE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('chaos.slept', true) IS DISTINCT FROM txid_current()::text THEN
        PERFORM set_config('chaos.slept', txid_current()::text, true), pg_sleep({seconds});
    END IF;
    RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON portal_attempt DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION be_slow()
"""


def begin(url: str) -> bool:
    """Let each commit of a claim take so long; False where somebody holds the table."""
    try:
        with psycopg.connect(url, options="-c lock_timeout=1s") as connection:
            connection.execute(_FUNCTION.format(seconds=SECONDS))
            if not connection.execute("SELECT 1 FROM pg_trigger WHERE tgname = 'slow'").fetchone():
                connection.execute(_TRIGGER)
    except psycopg.OperationalError:
        return False
    return True


def end(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(_FUNCTION.format(seconds=0))


def clear(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP FUNCTION IF EXISTS be_slow CASCADE")
