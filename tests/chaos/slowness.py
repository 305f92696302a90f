"""Commits of PostgreSQL that take longer than a send margin, as with a replica far away or a slow disk."""

import psycopg

SECONDS = 0.8
# Once in each transaction that claims, however many attempts.
_SLOW = f"""
CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('chaos.slept', true) IS DISTINCT FROM txid_current()::text THEN
        PERFORM set_config('chaos.slept', txid_current()::text, true), pg_sleep({SECONDS});
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON portal_attempt DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION be_slow();
"""


_QUICK = "DROP TRIGGER IF EXISTS slow ON portal_attempt; DROP FUNCTION IF EXISTS be_slow"


def begin(url: str) -> bool:
    """Let each commit of a claim take so long; False where somebody holds the table."""
    return _change(url, _SLOW)


def end(url: str) -> bool:
    """Let them be as quick as before; False where somebody holds the table."""
    return _change(url, _QUICK)


def _change(url: str, statements: str) -> bool:
    try:
        with psycopg.connect(url, options="-c lock_timeout=1s") as connection:
            connection.execute(statements)
    except psycopg.OperationalError:
        return False
    return True
