#!/usr/bin/env python3
"""A QScaler worker on the drain file alone: Python 3.9 or newer, nothing to install.

The pod is the lease: what the list {queue}:processing:<POD_NAME> holds is this pod's to finish, whichever
process put it there. So the worker looks at that list before it takes anything new. That one rule covers a
crash of the process, a lost reply and a restart of Redis alike.

It reaches one server, at QSCALER_BROKER_ADDRESS. It asks no Sentinel, and follows no slot of a Redis Cluster: for these use
a client library (docs/worker-contract.md has the settings).
"""

import json
import os
import re
import signal
import socket
import ssl
import sys
import time

QUEUE = os.environ["QSCALER_QUEUE"]
# The keys of a queue share its hash tag; a name that has one of its own keeps it.
TAGGED = QUEUE if re.match(r"[^{]*\{[^}]+\}", QUEUE) else "{" + QUEUE + "}"
PROCESSING = TAGGED + ":processing:" + os.environ["POD_NAME"]
DRAIN_FILE = os.environ.get("QSCALER_DRAIN_FILE", "/etc/qscaler/drain")

terminated = False  # set by SIGTERM, which never interrupts a task

REFUSED_FOR = 60  # seconds for which Redis may refuse the password with each answer; then the worker ends


def handle(payload: bytes) -> None:
    """Does one task. YOUR WORK GOES HERE; this one sleeps and tells.

    It returns when the task is done. It may be called twice for one task, if the process or the pod was
    killed in between.
    """
    task_id, ms = demo_task(payload)
    tell("started", task_id)
    time.sleep(ms / 1000)
    tell("done", task_id)


def run() -> None:
    """Returns when the worker may leave and holds no task."""
    redis = Redis()
    done = None  # the task that is finished and not acknowledged yet
    failures = 0
    refused_since = None  # while Redis refuses the password
    while True:
        try:
            if done is not None:
                redis.call("LREM", PROCESSING, 1, done)
                done = None
            task = redis.call("LINDEX", PROCESSING, -1)
            if task is None:
                if may_leave():
                    return
                task = take(redis)
            failures, refused_since = 0, None
        except RedisError as error:
            failures += 1
            print(error, file=sys.stderr, flush=True)
            # The password is a variable: only another process can have the present one.
            if not isinstance(error, WrongPassword):
                refused_since = None
            elif refused_since is None:
                refused_since = time.monotonic()
            elif time.monotonic() - refused_since >= REFUSED_FOR:
                sys.exit(f"Redis has refused the password for {REFUSED_FOR} s, and a restart may have another")
            # One failure may be a lost reply, with a task in our list: look again first. If Redis stays away,
            # nothing is gained by waiting; only a finished task must be acknowledged, or it is done twice.
            if failures > 1 and done is None and may_leave():
                return
            # Longer than the 1 s for which a BLMOVE whose connection broke may still be blocked in Redis.
            time.sleep(min(1.5 * failures, 5))
            continue
        if task is not None:
            handle(task)
            done = task


def take(redis):
    """Moves the next task into this pod's list and returns it: None after 1 s without one."""
    try:
        return redis.call("BLMOVE", QUEUE, PROCESSING, "RIGHT", "LEFT", 1)
    except RedisError as error:
        if "OOM " not in str(error):
            raise
    task = redis.call("EVAL", TAKE_WHEN_FULL, 2, QUEUE, PROCESSING)
    if task is None:
        time.sleep(1)
    return task


# Redis above its maxmemory refuses BLMOVE. A script may move a task there once it has written something, and RPOP counts
# as that though it takes no task here.
TAKE_WHEN_FULL = """redis.call('RPOP', KEYS[1], 0)
return redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')"""


def may_leave() -> bool:
    """Did the operator, or a SIGTERM, tell the worker to leave?

    The file is opened by path each time, because the kubelet replaces it. A file that cannot be read is no
    grant.
    """
    try:
        with open(DRAIN_FILE, "rb") as file:
            return terminated or file.read() != b""
    except OSError:
        return terminated


class RedisError(Exception):
    """Redis cannot be reached, or refused a command."""


class WrongPassword(RedisError):
    """Redis does not know the user or the password."""


class Redis:
    """One connection, opened when it is needed and given up at the first error."""

    def __init__(self):
        self.stream = None

    def call(self, *command):
        """Sends one command and returns its reply: bytes, an int, or None for nil."""
        try:
            if self.stream is None:
                self.connect()
            return self.exchange(*command)
        except (OSError, RedisError) as error:
            self.stream = None
            kind = WrongPassword if isinstance(error, WrongPassword) else RedisError
            raise kind(f"{command[0]}: {error}") from error

    def connect(self):
        host, port = os.environ["QSCALER_BROKER_ADDRESS"].rsplit(":", 1)
        # Redis answers within the second of BLMOVE. A connection that hangs is given up, and Redis is asked anew.
        host = host.strip("[]")
        with secured(socket.create_connection((host, int(port)), timeout=5), host) as connection:
            self.stream = connection.makefile("rwb")  # keeps the connection open
        username = os.environ.get("QSCALER_BROKER_USERNAME")
        password = os.environ.get("QSCALER_BROKER_PASSWORD")
        database = os.environ.get("QSCALER_BROKER_DATABASE")
        if password:
            self.exchange("AUTH", *([username] if username else []), password)
        if database:
            self.exchange("SELECT", database)

    def exchange(self, *command):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in command]
        self.stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))
        self.stream.flush()
        head = self.stream.readline()
        kind, value = head[:1], head[1:-2]
        if not head.endswith(b"\r\n"):
            raise RedisError("Redis closed the connection")
        if kind == b"-":
            wrong = value.startswith((b"WRONGPASS", b"NOAUTH"))
            raise (WrongPassword if wrong else RedisError)(value.decode(errors="replace"))
        if value == b"-1" and kind != b":":
            return None
        if kind != b"$":
            return int(value) if kind == b":" else value
        body = self.stream.read(int(value) + 2)
        if len(body) < int(value) + 2:
            raise RedisError("Redis closed the connection")
        return body[:-2]


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
