"""The system calls that a student's code may not make, as the program that Linux checks each call with (seccomp).

They would take memory that no limit counts, share keys with the world outside, or open parts of the kernel in which
flaws have been found again and again. No lab needs one of them.
"""

import errno
import platform
import struct

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBERS = {  # on x86_64 and on aarch64
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_NEW_NAMESPACES = 0x7E020000  # flags of clone. clone3 keeps its own out of sight; without it libc falls back on clone.
_X32 = 0x40000000  # x86_64's calls by other numbers

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they lie in what a filter sees
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _NO_SUCH_CALL = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS


def filter_program(machine: str = platform.machine()) -> bytes | None:
    """The program for `bwrap --seccomp`; None for processors whose numbers aren't known here."""
    if machine not in _ARCHITECTURES:
        return None
    column = list(_ARCHITECTURES).index(machine)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        *_answer(_IF_EQUAL, _ARCHITECTURES[machine], _KILL, unless=True),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        program += _answer(_IF_AT_LEAST, _X32, _NO_SUCH_CALL)
    for numbers in _NUMBERS.values():
        program += _answer(_IF_EQUAL, numbers[column], _REFUSE)
    program += _answer(_IF_EQUAL, _CLONE3[column], _NO_SUCH_CALL)
    program += _answer(_IF_EQUAL, _CLONE[column], _ALLOW, unless=True)
    program += [(_LOAD, 0, 0, _FIRST_ARGUMENT), *_answer(_IF_ANY, _NEW_NAMESPACES, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def unfiltered() -> str | None:
    """What isn't refused to students' code in a sandbox here, in a sentence; None where all is that should be."""
    machine = platform.machine()
    if machine in _ARCHITECTURES:
        return None
    return (
        f"Warning: this computer's processor is {machine}, and system calls are filtered on "
        f"{' and '.join(_ARCHITECTURES)} alone. In the sandbox students' code can call {', '.join(_NUMBERS)}, and "
        "clone and clone3 for namespaces of its own: docs/grading.md says what that means."
    )


def _answer(test: int, value: int, answer: int, unless: bool = False) -> list[tuple[int, int, int, int]]:
    """Answer so if (or unless) the test holds, else go on."""
    return [(test, 1, 0, value) if unless else (test, 0, 1, value), (_RETURN, 0, 0, answer)]
