"""Enters a sandbox that bubblewrap has made, and gives up every right in there.

bubblewrap starts a program in its sandbox, and Python with PyTorch is seconds away then. A process that has both
already comes in by the steps of Linux's `nsenter`, and gives up what bubblewrap and `setpriv` would have taken away.
A step that fails raises an OSError, and then no code of a student's may run.
"""

import ctypes
import fcntl
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_NAMESPACES = ("cgroup", "ipc", "uts", "net", "pid", "mnt")  # "user" is another matter, see below
_NOT_ALWAYS = ("cgroup", "user")  # which a sandbox may have in common with who made it
_OWNER_OF_NAMESPACE = 0xB701  # ioctl NS_GET_USERNS: the user namespace that a namespace belongs to
_DUMPABLE, _SECCOMP, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES, _AMBIENT = 4, 22, 24, 38, 47  # of prctl
_FILTER, _CLEAR_ALL = 2, 4
_VERSION_OF_CAPABILITIES = 0x20080522


def enter(process: int) -> None:
    """Go where a process is: what this one starts from now on has its files, network and processes, and no others.

    A sandbox that wasn't made by root has a user namespace that the others belong to and, inside of it, another one for
    the program. The first gives the rights to go into the others, so it comes before them, and the second comes last.
    """
    places = {name: os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY) for name in (*_NAMESPACES, "user")}
    places["owner"] = fcntl.ioctl(places["mnt"], _OWNER_OF_NAMESPACE)
    here = {name: os.stat(f"/proc/self/ns/{name}").st_ino for name in (*_NAMESPACES, "user")}
    if any(os.fstat(places[name]).st_ino == where for name, where in here.items() if name not in _NOT_ALWAYS):
        raise OSError("it is no sandbox")
    for name in ("owner", *_NAMESPACES, "user"):
        where = os.fstat(places[name]).st_ino
        if where not in (here.get(name), here["user"]):  # Linux refuses to enter where one is
            _call("setns", places[name], 0)
            if name == "owner":
                here["user"] = where
    for place in places.values():
        os.close(place)
    os.chdir("/")


def give_up_all_rights(user: int | None, system_calls: bytes | None) -> None:
    """Have no rights from now on, nor a way to any; as `user` where that is a number.

    `system_calls` is the program that filters them (see system_calls.py).
    """
    for capability in range(64):
        if _LIBC.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0) != 0:
            break  # Linux has about forty
    _call("prctl", _AMBIENT, _CLEAR_ALL, 0, 0, 0)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _call("capset", struct.pack("=Ii", _VERSION_OF_CAPABILITIES, 0), bytes(24))
    _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call("prctl", _DUMPABLE, 1, 0, 0, 0)  # else what /proc says about the process would be root's
    if system_calls is not None:
        program = ctypes.create_string_buffer(system_calls, len(system_calls))
        described = struct.pack("@HP", len(system_calls) // 8, ctypes.addressof(program))
        _call("prctl", _SECCOMP, _FILTER, described, 0, 0)


def _call(name: str, *arguments: int | bytes) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
