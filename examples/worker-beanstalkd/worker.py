#!/usr/bin/env python3
"""A QScaler worker on a tube of Beanstalkd: Python 3.9 or newer, nothing to install.

A job belongs to the connection that has reserved it. The server makes the job ready again when that connection ends,
so that a worker that is killed loses no job, or when the job's time to run (TTR) is over. A job that takes longer than
its TTR is touched meanwhile, which starts the TTR again.
"""

import json
import os
import re
import signal
import socket
import ssl
import sys
import threading
import time

TUBE = os.environ["QSCALER_QUEUE"]
DRAIN_FILE = os.environ.get("QSCALER_DRAIN_FILE", "/etc/qscaler/drain")

terminated = False  # set by SIGTERM, which never interrupts a job


def handle(body: bytes) -> None:
    """Does one job. YOUR WORK GOES HERE; this one sleeps and tells.

    It returns when the job is done. It may be called twice for one job, if the worker, the server or the connection
    ended in between.
    """
    task_id, ms = demo_task(body)
    tell("started", task_id)
    time.sleep(ms / 1000)
    tell("done", task_id)


def run() -> None:
    """Returns when the worker may leave. It holds no job then."""
    failures = 0
    while not may_leave():
        try:
            with Server() as server:
                while not may_leave():
                    job = server.reserve(timeout=1)
                    failures = 0
                    if job is not None:
                        with Touching(server, job[0]):
                            handle(job[1])
                        server.delete(job[0])
        except (OSError, Refused) as error:
            # The connection is closed: what it had reserved is ready again, for any worker. Its id is of no use: a
            # server without a binlog gives the same ids again after a restart.
            failures += 1
            print(error, file=sys.stderr, flush=True)
            if not may_leave():
                time.sleep(min(0.5 * failures, 5))


def may_leave() -> bool:
    """Did the operator, or a SIGTERM, tell the worker to leave?

    The file is opened by path each time, because the kubelet replaces it. A file that cannot be read is no grant.
    """
    try:
        with open(DRAIN_FILE, "rb") as file:
            return terminated or file.read() != b""
    except OSError:
        return terminated


class Refused(Exception):
    """The server refused a command, or closed the connection."""


class Server:
    """One connection that watches the tube."""

    def __init__(self):
        host, port = os.environ["QSCALER_BROKER_ADDRESS"].rsplit(":", 1)
        # The server answers within the second of a reserve. A connection that hangs is given up.
        host = host.strip("[]")
        with secured(socket.create_connection((host, int(port)), timeout=5), host) as connection:
            self.stream = connection.makefile("rwb")  # keeps the connection open
        self.command("WATCHING", f"watch {TUBE}")
        if TUBE != "default":
            self.command("WATCHING", "ignore default")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stream.close()
        except OSError:
            pass  # it could not send what was left

    def command(self, expected: str, line: str):
        """Sends one command and returns the words of the answer, which begins as expected."""
        self.stream.write(line.encode() + b"\r\n")
        self.stream.flush()
        answer = self.stream.readline()
        if not answer.endswith(b"\r\n"):
            raise Refused(f"{line}: the server closed the connection")
        words = answer.decode(errors="replace").split()
        if words[:1] != [expected]:
            raise Refused(f"{line}: {' '.join(words)}")
        return words

    def body(self, size: int) -> bytes:
        body = self.stream.read(size + 2)
        if len(body) < size + 2:
            raise Refused("the server closed the connection")
        return body[:-2]

    def reserve(self, timeout: int):
        """Takes a job: its id and its body, or None where none came in time."""
        try:
            _, job, size = self.command("RESERVED", f"reserve-with-timeout {timeout}")
        except Refused as refused:
            if str(refused).endswith(": TIMED_OUT"):
                return None
            raise
        return job, self.body(int(size))

    def delete(self, job: str) -> None:
        self.command("DELETED", f"delete {job}")

    def touch(self, job: str) -> None:
        self.command("TOUCHED", f"touch {job}")

    def ttr(self, job: str) -> int:
        """The seconds after which the server gives the job to another worker."""
        _, size = self.command("OK", f"stats-job {job}")
        return int(re.search(rb"^ttr: (\d+)$", self.body(int(size)), re.MULTILINE)[1])


class Touching:
    """Touches a job three times in each TTR, from a thread of its own, while the work goes on.

    The connection is the thread's until the end. Only the server knows whether the job is still ours, and it says so
    when the job is deleted; so a touch that fails just ends the thread.
    """

    def __init__(self, server: Server, job: str):
        self.server, self.job, self.pause = server, job, server.ttr(job) / 3
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.keep, daemon=True)

    def keep(self) -> None:
        try:
            while not self.over.wait(self.pause):
                self.server.touch(self.job)
        except (OSError, Refused) as error:
            print(error, file=sys.stderr, flush=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def secured(connection, host: str):
    """Speaks TLS on the connection where the operator says so, and plain TCP otherwise.

    What it does not understand is an error: nothing must be sent in the clear instead.
    """
    setting = os.environ.get("QSCALER_BROKER_TLS", "")
    if setting in ("", "false"):
        return connection
    if setting != "true":
        raise OSError(f'QSCALER_BROKER_TLS is "{setting}"; it must be true, false or empty')
    context = ssl.create_default_context(
        cafile=os.environ.get("QSCALER_BROKER_TLS_CA_FILE") or None,
        cadata=os.environ.get("QSCALER_BROKER_TLS_CA") or None,
    )
    if os.environ.get("QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY") == "true":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if os.environ.get("QSCALER_BROKER_TLS_CERT_FILE"):
        context.load_cert_chain(os.environ["QSCALER_BROKER_TLS_CERT_FILE"], os.environ["QSCALER_BROKER_TLS_KEY_FILE"])
    name = os.environ.get("QSCALER_BROKER_TLS_SERVER_NAME") or host
    return context.wrap_socket(connection, server_hostname=name)


def demo_task(payload: bytes):
    """Reads {"id":"t-17","ms":1500}. Anything else is a task of 0 ms whose id is the payload, quoted."""
    try:
        task = json.loads(payload)
        if re.fullmatch(r"[A-Za-z0-9._:-]+", task["id"]):
            return task["id"], max(0, int(task.get("ms", 0)))
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    # The first 80 bytes; what is not printable ASCII, quotes and backslashes become \xHH.
    shown = (chr(c) if 32 <= c <= 126 and c not in b'"\\' else f"\\x{c:02x}" for c in payload[:80])
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
