#!/usr/bin/env python3
"""A QScaler worker on a table in MySQL or MariaDB: Python 3.9 or newer, and PyMySQL (pip install "PyMySQL[rsa]").

A job is a row. A worker takes the oldest one that nobody has (FOR UPDATE SKIP LOCKED, of MySQL 8.0 and MariaDB 10.6),
writes its name into it, and deletes it when it is done. Meanwhile it says again and again that it is alive; a row whose
worker has not said so for LEASE_SECONDS is anybody's. So a worker that is killed loses no job. The table is in schema.sql.
"""

import json
import os
import re
import signal
import ssl
import sys
import threading
import time

import pymysql

QUEUE = os.environ["QSCALER_QUEUE"]
WORKER = os.environ["POD_NAME"]
DRAIN_FILE = os.environ.get("QSCALER_DRAIN_FILE", "/etc/qscaler/drain")
LEASE = float(os.environ.get("LEASE_SECONDS", "30"))

terminated = False  # set by SIGTERM, which never interrupts a job

REFUSED_FOR = 60  # seconds for which the server may refuse the password with each answer; then the worker ends
REFUSED = 1045  # its number for a refused login

# One statement for those that wait, and one for those that are left of a worker, so that both use the index.
FIND = (
    """SELECT id, payload FROM jobs WHERE queue = %(queue)s AND state = 'queued' AND run_at <= NOW(6)
    ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED""",
    """SELECT id, payload FROM jobs WHERE queue = %(queue)s AND state = 'running'
    AND (worker = %(worker)s OR alive_at < NOW(6) - INTERVAL %(lease)s SECOND)
    ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED""",
)
TAKE = "UPDATE jobs SET state = 'running', worker = %s, alive_at = NOW(6) WHERE id = %s"


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
    refused_since = None  # while the server refuses the password
    while done is not None or not may_leave():
        try:
            with connect() as database:
                while done is not None or not may_leave():
                    if done is not None:
                        execute(database, "DELETE FROM jobs WHERE id = %s AND worker = %s", (done, WORKER))
                        done = None
                        continue
                    job = take(database)
                    failures, refused_since = 0, None
                    if job is None:
                        time.sleep(0.5)
                        continue
                    with Alive(job[0]):
                        handle(job[1])
                    done = job[0]
        except (pymysql.MySQLError, OSError) as error:
            failures += 1
            print(str(error).strip().replace("\n", " "), file=sys.stderr, flush=True)
            # The password is a variable: only another process can have the present one.
            if not (error.args and error.args[0] == REFUSED):
                refused_since = None
            elif refused_since is None:
                refused_since = time.monotonic()
            elif time.monotonic() - refused_since >= REFUSED_FOR:
                sys.exit(f"the server has refused the password for {REFUSED_FOR} s, and a restart may have another")
            time.sleep(min(0.5 * failures, 5))


def take(database):
    """Takes a job, in one transaction: its id and its payload, or None."""
    database.begin()
    for find in FIND:
        job = execute(database, find, {"worker": WORKER, "queue": QUEUE, "lease": LEASE}).fetchone()
        if job is not None:
            execute(database, TAKE, (WORKER, job[0]))
            break
    database.commit()
    return job


def execute(database, statement, values):
    cursor = database.cursor()
    cursor.execute(statement, values)
    return cursor


def connect():
    """Connects. Each statement is a transaction of its own, but in take. A server that is gone is noticed within seconds."""
    database = pymysql.connect(
        host=os.environ["MYSQL_HOST"], port=int(os.environ["MYSQL_PORT"]), database=os.environ["MYSQL_DATABASE"],
        user=os.environ["MYSQL_USER"], password=os.environ.get("MYSQL_PASSWORD", ""), ssl=tls(), charset="utf8mb4",
        autocommit=True, connect_timeout=5, read_timeout=10, write_timeout=10,
    )
    # What another worker has locked and not yet written is skipped, and not waited for; gaps between rows are not locked.
    execute(database, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", None)
    return database


def tls():
    """How the server is verified, as the operator has told it; None for plain TCP."""
    if os.environ.get("QSCALER_BROKER_TLS") != "true":
        return None
    context = ssl.create_default_context(
        cafile=os.environ.get("QSCALER_BROKER_TLS_CA_FILE") or None,
        cadata=os.environ.get("QSCALER_BROKER_TLS_CA") or None,
    )
    if os.environ.get("QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY") == "true":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if os.environ.get("QSCALER_BROKER_TLS_CERT_FILE"):
        context.load_cert_chain(os.environ["QSCALER_BROKER_TLS_CERT_FILE"], os.environ["QSCALER_BROKER_TLS_KEY_FILE"])
    name = os.environ.get("QSCALER_BROKER_TLS_SERVER_NAME")
    if name:  # the library asks for the host's
        wrap = context.wrap_socket
        context.wrap_socket = lambda sock, **_: wrap(sock, server_hostname=name)
    return context


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
                        execute(database, "UPDATE jobs SET alive_at = NOW(6) WHERE id = %s AND worker = %s", (self.job, WORKER))
            except (pymysql.MySQLError, OSError) as error:
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
