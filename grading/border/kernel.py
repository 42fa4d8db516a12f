"""Starts the kernel that runs a student's code: ipykernel, on sockets that the grading process has made.

The sandbox can't make any where the grading process would see them: of what it sees from outside, nothing is writable.
"""

import sys

import zmq
from ipykernel.kernelapp import IPKernelApp


class KernelApp(IPKernelApp):
    """ipykernel's own, but for where its sockets come from; and without a heartbeat, which nobody listens to."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.listeners: dict[int, int] = {}  # by port, the number of the open file

    def _try_bind_socket(self, s, port):
        s.setsockopt(zmq.USE_FD, self.listeners[port])
        return super()._try_bind_socket(s, port)

    def init_heartbeat(self):
        pass


if __name__ == "__main__":
    listeners = [each.split("=") for each in sys.argv.pop().split(",")]
    app = KernelApp.instance()
    app.listeners = {int(port): int(descriptor) for port, descriptor in listeners}
    app.initialize()
    app.start()
