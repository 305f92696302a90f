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


def begin(url: str) -> None:
    """Let each commit of a claim take so long."""
    with psycopg.connect(url) as connection:
        connection.execute(_SLOW)


def end(url: str) -> None:
    """Let them be as quick as before."""
    with psycopg.connect(url) as connection:
        connection.execute("DROP TRIGGER slow ON portal_attempt; DROP FUNCTION be_slow")
