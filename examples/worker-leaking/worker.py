#!/usr/bin/env python3
"""The worker in Python, with a defect that right-sizing makes up for: it keeps what its tasks needed.

Every task leaves LEAK_MIB (8) MiB behind, up to LEAK_TO_MIB (100). Under the limit of qworker.yaml it is killed
out of memory after some tasks; it comes back with more, and does again the one task that it was killed in.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker-python"))
import worker

LEAK = int(os.environ.get("LEAK_MIB", "8")) << 20
LEAK_TO = int(os.environ.get("LEAK_TO_MIB", "100")) << 20

leaked = []
handle = worker.handle


def leak_and_handle(payload: bytes) -> None:
    if LEAK * len(leaked) < LEAK_TO:
        leaked.append(b"x" * LEAK)
    handle(payload)


if __name__ == "__main__":
    worker.handle = leak_and_handle
    signal.signal(signal.SIGTERM, worker.on_sigterm)
    worker.run()
