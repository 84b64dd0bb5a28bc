#!/usr/bin/env python3
"""A QScaler worker of a Redis stream, on the drain file alone: Python 3.9 or newer, nothing to install.

The pod is the lease: what the consumer <POD_NAME> of the group has taken and not acknowledged is this pod's
to finish, whichever process took it. So the worker reads that before it takes anything new. That one rule
covers a crash of the process, a lost reply and a restart of Redis alike.
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
GROUP = os.environ["QSCALER_CONSUMER_GROUP"]
CONSUMER = os.environ["POD_NAME"]
DRAIN_FILE = os.environ.get("QSCALER_DRAIN_FILE", "/etc/qscaler/drain")

terminated = False  # set by SIGTERM, which never interrupts a task

REFUSED_FOR = 60  # seconds for which Redis may refuse the password with each answer; then the worker ends


def handle(fields: dict) -> None:
    """Does one task, given the fields of its entry. YOUR WORK GOES HERE; this one sleeps and tells.

    It returns when the task is done. It may be called twice for one task, if the process or the pod was
    killed in between.
    """
    task_id, ms = demo_task(fields.get(b"task", b""))
    tell("started", task_id)
    time.sleep(ms / 1000)
    tell("done", task_id)


def run() -> None:
    """Returns when the worker may leave and holds no task."""
    redis = Redis()
    done = None  # the ID of the entry that is finished and not acknowledged yet
    failures = 0
    refused_since = None  # while Redis refuses the password
    while True:
        try:
            if done is not None:
                redis.call("XACK", QUEUE, GROUP, done)
                done = None
            entry = take(redis, "0")  # what this pod has taken
            if entry is None:
                if may_leave():
                    leave(redis)
                    return
                entry = take(redis, ">")  # what nobody has
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
            # One failure may be a lost reply, with an entry of ours: look again first. If Redis stays away,
            # nothing is gained by waiting; only a finished task must be acknowledged, or it is done twice.
            if failures > 1 and done is None and may_leave():
                return
            # Longer than the 1 s for which a read whose connection broke may still be blocked in Redis.
            time.sleep(min(1.5 * failures, 5))
            continue
        if entry is not None:
            done, words = entry
            if words is not None:  # None: somebody has deleted the entry, and it is no task any more
                handle(dict(zip(words[::2], words[1::2])))


def take(redis, after: str):
    """Reads one entry, (ID, fields): one that this pod holds for "0", or a new one for ">". None where there is none."""
    read = ["XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", 1, "BLOCK", 1000, "STREAMS", QUEUE, after]
    try:
        streams = redis.call(*read)
    except NoGroup:
        # From the beginning: what was added before the first worker came is to be done as well.
        redis.call("XGROUP", "CREATE", QUEUE, GROUP, "0", "MKSTREAM")
        streams = redis.call(*read)
    entries = streams[0][1] if streams else []
    return tuple(entries[0]) if entries else None


def leave(redis) -> None:
    """Deletes this pod's consumer, which Redis would keep for ever. Not where it holds something, or that were lost."""
    script = """if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end"""
    try:
        redis.call("EVAL", script, 1, QUEUE, GROUP, CONSUMER)
    except RedisError as error:
        print(error, file=sys.stderr, flush=True)  # it is a matter of tidiness


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


class NoGroup(RedisError):
    """The stream or its group is not there."""


class Redis:
    """One connection, opened when it is needed and given up at the first error."""

    def __init__(self):
        self.stream = None

    def call(self, *command):
        """Sends one command and returns its reply: bytes, an int, a list, or None for nil."""
        try:
            if self.stream is None:
                self.connect()
            return self.exchange(*command)
        except NoGroup:
            raise
        except (OSError, RedisError) as error:
            self.stream = None
            kind = WrongPassword if isinstance(error, WrongPassword) else RedisError
            raise kind(f"{command[0]}: {error}") from error

    def connect(self):
        host, port = os.environ["QSCALER_BROKER_ADDRESS"].rsplit(":", 1)
        # Redis answers within the second of BLOCK. A connection that hangs is given up, and Redis is asked anew.
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
        return self.reply()

    def reply(self):
        head = self.stream.readline()
        kind, value = head[:1], head[1:-2]
        if not head.endswith(b"\r\n"):
            raise RedisError("Redis closed the connection")
        if kind == b"-":
            for start, error in ((b"WRONGPASS", WrongPassword), (b"NOAUTH", WrongPassword), (b"NOGROUP", NoGroup)):
                if value.startswith(start):
                    raise error(value.decode(errors="replace"))
            raise RedisError(value.decode(errors="replace"))
        if value == b"-1" and kind != b":":
            return None
        if kind == b"*":
            return [self.reply() for _ in range(int(value))]
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
    """Reads {"id":"t-17","ms":1500}, the field "task". Anything else is a task of 0 ms whose id is the payload, quoted."""
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
