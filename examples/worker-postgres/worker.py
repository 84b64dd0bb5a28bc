#!/usr/bin/env python3
"""A QScaler worker on a table in PostgreSQL: Python 3.9 or newer, and psycopg 3 (pip install "psycopg[binary]").

A job is a row. A worker takes the oldest one that nobody has (FOR UPDATE SKIP LOCKED), writes its name into it, and
deletes it when it is done. Meanwhile it says again and again that it is alive; a row whose worker has not said so for
LEASE_SECONDS is anybody's. So a worker that is killed loses no job. The table is in schema.sql.
"""

import json
import os
import re
import signal
import sys
import threading
import time

import psycopg

QUEUE = os.environ["QSCALER_QUEUE"]
WORKER = os.environ["POD_NAME"]
# The URL has no password: that is in PGPASSWORD, and the authorities are in PGSSLROOTCERT, which the library reads itself.
DATABASE = os.environ["QSCALER_BROKER_URL"]
DRAIN_FILE = os.environ.get("QSCALER_DRAIN_FILE", "/etc/qscaler/drain")
LEASE = float(os.environ.get("LEASE_SECONDS", "30"))

terminated = False  # set by SIGTERM, which never interrupts a job

REFUSED_FOR = 60  # seconds for which PostgreSQL may refuse the password with each answer; then the worker ends

TAKE = """
UPDATE jobs SET state = 'running', worker = %(worker)s, alive_at = now() WHERE id = (
    SELECT id FROM jobs WHERE queue = %(queue)s AND (
        (state = 'queued' AND run_at <= now())
        OR (state = 'running' AND (worker = %(worker)s OR alive_at < now() - make_interval(secs => %(lease)s)))
    ) ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id, payload
"""


def handle(payload: str) -> None:
    """Does one job. YOUR WORK GOES HERE; this one sleeps and tells.

    It returns when the job is done. It may be called twice for one job, if the worker, the server or the connection
    ended in between.
    """
    task_id, ms = demo_task(payload)
    tell("started", task_id)
    time.sleep(ms / 1000)
    tell("done", task_id)


def run() -> None:
    """Returns when the worker may leave. It holds no job then."""
    done = None  # the job that is finished and not deleted yet
    failures = 0
    refused_since = None  # while PostgreSQL refuses the password
    while done is not None or not may_leave():
        try:
            with connect() as database:
                while done is not None or not may_leave():
                    if done is not None:
                        database.execute("DELETE FROM jobs WHERE id = %s AND worker = %s", (done, WORKER))
                        done = None
                        continue
                    job = database.execute(TAKE, {"worker": WORKER, "queue": QUEUE, "lease": LEASE}).fetchone()
                    failures = 0
                    if job is None:
                        time.sleep(0.5)
                        continue
                    with Alive(job[0]):
                        handle(job[1])
                    done = job[0]
        except psycopg.Error as error:
            failures += 1
            print(str(error).strip().replace("\n", " "), file=sys.stderr, flush=True)
            # The password is a variable: only another process can have the present one.
            if not is_refusal(error):
                refused_since = None
            elif refused_since is None:
                refused_since = time.monotonic()
            elif time.monotonic() - refused_since >= REFUSED_FOR:
                sys.exit(f"PostgreSQL has refused the password for {REFUSED_FOR} s, and a restart may have another")
            time.sleep(min(0.5 * failures, 5))


def is_refusal(error: psycopg.Error) -> bool:
    """Does the server refuse the password, or is there none?

    The library has no SQLSTATE for a connection that fails, so the words tell. A server whose lc_messages is not English
    has others: add them here.
    """
    return "authentication failed for user" in str(error) or "no password supplied" in str(error)


def connect():
    """Connects. Each statement is a transaction of its own; a server that is gone is noticed within seconds."""
    return psycopg.connect(
        DATABASE, autocommit=True, connect_timeout=5, application_name=WORKER, tcp_user_timeout=5000,
        keepalives_idle=5, keepalives_interval=2, keepalives_count=3,
    )


def may_leave() -> bool:
    """Did the operator, or a SIGTERM, tell the worker to leave?

    The file is opened by path each time, because the kubelet replaces it. A file that cannot be read is no grant.
    """
    try:
        with open(DRAIN_FILE, "rb") as file:
            return terminated or file.read() != b""
    except OSError:
        return terminated


class Alive:
    """Says three times in each lease that the job's worker is alive, over a connection of its own, while the work goes on."""

    def __init__(self, job: int):
        self.job = job
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.keep, daemon=True)

    def keep(self) -> None:
        while not self.over.is_set():
            try:
                with connect() as database:
                    while not self.over.wait(LEASE / 3):
                        database.execute("UPDATE jobs SET alive_at = now() WHERE id = %s AND worker = %s", (self.job, WORKER))
            except psycopg.Error as error:
                print(str(error).strip().replace("\n", " "), file=sys.stderr, flush=True)
                self.over.wait(1)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def demo_task(payload: str):
    """Reads {"id":"t-17","ms":1500}. Anything else is a task of 0 ms whose id is the payload, quoted."""
    try:
        task = json.loads(payload)
        if re.fullmatch(r"[A-Za-z0-9._:-]+", task["id"]):
            return task["id"], max(0, int(task.get("ms", 0)))
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    # The first 80 bytes; what is not printable ASCII, quotes and backslashes become \xHH.
    shown = (chr(c) if 32 <= c <= 126 and c not in b'"\\' else f"\\x{c:02x}" for c in payload.encode()[:80])
    return '"' + "".join(shown) + '"', 0


def tell(event: str, task_id: str) -> None:
    """Writes one line in one write call, so that lines of several workers never mix."""
    os.write(1, f"{time.time_ns() // 1_000_000} {event} {task_id}\n".encode())


def on_sigterm(_signal, _frame) -> None:
    global terminated
    terminated = True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, on_sigterm)
    run()
