"""Runs a worker in Python, and lets it connect from its pod's address, as in a cluster: python3 frompod.py worker.py

RabbitMQ shows by that address whose channel holds a message. A process of this machine connects from 127.0.0.1 otherwise.
"""

import os
import runpy
import socket
import sys

POD_IP = os.environ.get("QSCALER_LOCAL_POD_IP", "")


def from_pod(connect):
    def connect_from_pod(self, address):
        if POD_IP and self.family == socket.AF_INET and self.getsockname()[1] == 0:
            self.bind((POD_IP, 0))
        return connect(self, address)

    return connect_from_pod


socket.socket.connect = from_pod(socket.socket.connect)
socket.socket.connect_ex = from_pod(socket.socket.connect_ex)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
