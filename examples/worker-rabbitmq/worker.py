#!/usr/bin/env python3
"""A QScaler worker on a queue of RabbitMQ: Python 3.9 or newer, and pika (pip install pika, or apt-get install python3-pika).

A message belongs to the channel that it was sent on until it is acknowledged. The server gives it to another worker when
the connection ends, so that a worker that is killed loses no message. With a prefetch of 1 the worker holds no message but
the one that it works on.
"""

import json
import os
import re
import signal
import ssl
import sys
import threading
import time

import pika

QUEUE = os.environ["QSCALER_QUEUE"]
DRAIN_FILE = os.environ.get("QSCALER_DRAIN_FILE", "/etc/qscaler/drain")

terminated = False  # set by SIGTERM, which never interrupts a task

REFUSED_FOR = 60  # seconds for which RabbitMQ may refuse the password with each answer; then the worker ends


def handle(body: bytes) -> None:
    """Does one task. YOUR WORK GOES HERE; this one sleeps and tells.

    It returns when the task is done. It may be called twice for one task, if the worker, the server or the connection
    ended in between. It runs in a thread of its own: the connection's heartbeats go on meanwhile.
    """
    task_id, ms = demo_task(body)
    tell("started", task_id)
    time.sleep(ms / 1000)
    tell("done", task_id)


def run() -> None:
    """Returns when the worker may leave. It holds no message then."""
    failures = 0
    refused_since = None  # while RabbitMQ refuses the password
    while not may_leave():
        try:
            connection = pika.BlockingConnection(parameters())
            try:
                for _ in work(connection):
                    failures = 0
            finally:
                if connection.is_open:
                    connection.close()
        except (pika.exceptions.AMQPError, OSError, ValueError) as error:
            # What the worker held is ready again, for any worker.
            failures += 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            # The password is a variable: only another process can have the present one.
            if not isinstance(error, pika.exceptions.ProbableAuthenticationError):
                refused_since = None
            elif refused_since is None:
                refused_since = time.monotonic()
            elif time.monotonic() - refused_since >= REFUSED_FOR:
                sys.exit(f"RabbitMQ has refused the password for {REFUSED_FOR} s, and a restart may have another")
            if not may_leave():
                time.sleep(min(0.5 * failures, 5))


def work(connection):
    """Does one task after another, and yields about once in a second."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    for method, _, body in channel.consume(QUEUE, inactivity_timeout=1):
        if may_leave():
            break
        if method is not None:
            do(connection, body)
            channel.basic_ack(method.delivery_tag)
            # The acknowledgement is on its way before the next message is looked at.
            connection.process_data_events(time_limit=0)
        yield
    channel.cancel()  # which returns the message that has come and was not begun


def do(connection, body: bytes) -> None:
    """Does a task in a thread, while the connection lives on."""
    failed = []

    def attempt():
        try:
            handle(body)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    try:
        while thread.is_alive():
            connection.process_data_events(time_limit=0.1)
    finally:
        thread.join()  # also where the connection is gone: a task is not left half done
    if failed:
        raise failed[0]  # the message is not acknowledged


def may_leave() -> bool:
    """Did the operator, or a SIGTERM, tell the worker to leave?

    The file is opened by path each time, because the kubelet replaces it. A file that cannot be read is no grant.
    """
    try:
        with open(DRAIN_FILE, "rb") as file:
            return terminated or file.read() != b""
    except OSError:
        return terminated


def parameters() -> pika.URLParameters:
    """How to reach the server. The URL has the virtual host; the password comes beside it."""
    found = pika.URLParameters(os.environ["QSCALER_BROKER_URL"])
    found.credentials = pika.PlainCredentials(
        os.environ.get("QSCALER_BROKER_USERNAME", "guest"), os.environ.get("QSCALER_BROKER_PASSWORD", "guest"))
    found.heartbeat = 30
    found.socket_timeout = found.stack_timeout = found.blocked_connection_timeout = 10
    if os.environ["QSCALER_BROKER_URL"].startswith("amqps:"):
        found.ssl_options = pika.SSLOptions(context(), os.environ.get("QSCALER_BROKER_TLS_SERVER_NAME") or found.host)
    return found


def context() -> ssl.SSLContext:
    """How the server's certificate is verified, and which one the worker shows."""
    made = ssl.create_default_context(
        cafile=os.environ.get("QSCALER_BROKER_TLS_CA_FILE") or None,
        cadata=os.environ.get("QSCALER_BROKER_TLS_CA") or None,
    )
    if os.environ.get("QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY") == "true":
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if os.environ.get("QSCALER_BROKER_TLS_CERT_FILE"):
        made.load_cert_chain(os.environ["QSCALER_BROKER_TLS_CERT_FILE"], os.environ["QSCALER_BROKER_TLS_KEY_FILE"])
    return made


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
