"""Attacks on this course's own grading: on the side of the border that runs beside the student's code."""

from tests.grading.attacks.attack import MARKER, Attack, then

_NO_BORDER = "there is no border to attack"
_SPEAKS = f"""import json, os, pathlib, socket, struct, threading, time

def talk(connection):
    while True:
        head, body = struct.unpack("!II", connection.recv(8, socket.MSG_WAITALL))
        connection.recv(head + body, socket.MSG_WAITALL)
        reply = {{"kind": "value", "value": 2, "number": 0, "tensors": [], "written": {MARKER!r}}}
        text = json.dumps(reply).encode()
        connection.sendall(struct.pack("!II", len(text), 0) + text)
"""

BORDER = [
    Attack(
        "service-rewritten",
        "the process answers that the points of the test are full, whatever it is asked",
        then(
            "import grading.border.candidate as candidate\n"
            f"def forged(self, request, reader, writer):\n    print({MARKER!r})\n"
            "    return candidate.Answer(candidate.Value(['list', 2]))\n"
            "candidate.Service._call = candidate.Service._resolve = forged"
        ),
        stock=_NO_BORDER,
    ),
    Attack(
        "protocol-spoken",
        "the process speaks the border's language by itself",
        then(
            _SPEAKS + "import grading.border.candidate as candidate\n"
            "def forged(path, names):\n    connection = socket.socket(socket.AF_UNIX)\n    connection.connect(path)\n"
            "    try:\n        talk(connection)\n    except Exception:\n        pass\n"
            "candidate.connect = forged"
        ),
        stock=_NO_BORDER,
    ),
    Attack(
        "first-to-connect",
        "a thread waits for the border to open, and is there first",
        then(
            _SPEAKS
            + "import ipykernel\nborder = os.path.join(os.path.dirname(ipykernel.get_connection_file()), 'border')\n"
            "def wait():\n    while True:\n        try:\n            connection = socket.socket(socket.AF_UNIX)\n"
            "            connection.connect(border)\n            talk(connection)\n"
            "        except Exception:\n            time.sleep(0.001)\n"
            "threading.Thread(target=wait, daemon=True).start()"
        ),
        stock=_NO_BORDER,
    ),
    Attack(
        "border-occupied",
        "where the border is to open there is a folder",
        then(
            "import ipykernel, os\ntry:\n"
            "    os.mkdir(os.path.join(os.path.dirname(ipykernel.get_connection_file()), 'border'))\n"
            "except OSError as error:\n    print(error.strerror)"
        ),
        stock=_NO_BORDER,
        trace="Read-only file system",
    ),
    Attack(
        "stopped-iteration",
        "the answer ends the test's loops, in silence",
        then("def double(x):\n    raise StopIteration\ndef square(x):\n    raise StopIteration"),
        stock="no loop of these tests' runs through the answer",
    ),
    Attack(
        "silent-exit",
        "the answer raises what ends a program without a word",
        then("def double(x):\n    raise SystemExit(0)"),
        stock="a cell that raises SystemExit has failed",
    ),
    Attack(
        "interrupt",
        "the answer raises what a person's Ctrl-C raises",
        then("def double(x):\n    raise KeyboardInterrupt"),
        stock="a cell that was interrupted has failed",
    ),
]
