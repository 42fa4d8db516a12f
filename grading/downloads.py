"""What an LMS's download of submissions holds: each file with the student whose it is, as the LMS writes it down.

Canvas names each file `lastnamefirstname_LATE_USER_ATTACHMENT_FILE`, where `LATE` is there if it was, and a further
attempt has a higher ATTACHMENT. Moodle has a folder `Full Name_NUMBER_assignsubmission_file` for each student, or puts
that in front of the file's name. Anything else is a folder a student, or a file whose name has the student's in it.
(nbgrader's own `zip_collect` takes one such pattern, stops at the first odd file, and overwrites.)
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from grading.course import UserError

_CANVAS = re.compile(r"(?P<who>[^_]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<attempt>\d+)_(?P<name>.+)")
_MOODLE = re.compile(r"(?P<who>.+?)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<name>.*))?")
_JUNK = re.compile(r"(\.[^.].*|__MACOSX|Thumbs\.db|desktop\.ini)", re.IGNORECASE)
_MOST_BYTES = 200 * 2**20  # of a file, unpacked
_TOO_LARGE = "it is larger than 200 MB: unpack it into submitted/ yourself (a notebook's outputs don't count there)"


@dataclass(frozen=True)
class Sent:
    """A file of a download.

    `origin` is where it lies there and `name` what the student called it. `who` is the student's name or id, as the
    LMS writes it, empty where it says none; `user` is Canvas's number of the student, `number` Moodle's of the
    submission. `returns_to` is what the LMS wants in front of the name of a file that is given back. `content` is None
    where it can't be read, and then `fault` says why.
    """

    origin: str
    name: str
    who: str
    user: str = ""
    number: str = ""
    attempt: int = 0
    late: bool = False
    returns_to: str = ""
    content: bytes | None = None
    fault: str = ""


def is_junk(name: str) -> bool:
    """Whether a system made a file of that name, and no student."""
    return _JUNK.fullmatch(name) is not None


def files_in(download: Path) -> list[Sent]:
    """Every file of a zip, a folder or a single file, zips that students handed in unpacked.

    Raises:
        UserError: if there is no such file or folder, or it can't be read.
    """
    if not download.exists():
        raise UserError(f"There is no file or folder {download}.")
    try:
        if download.is_dir():
            found = [(path.relative_to(download).as_posix(), path) for path in sorted(download.rglob("*"))]
            files = [_sent(name, *_read(path)) for name, path in found if path.is_symlink() or path.is_file()]
        elif zipfile.is_zipfile(download) and not _CANVAS.fullmatch(download.name):
            files = [_sent(name, *read) for name, read in _unzipped(download.read_bytes())]
        else:
            files = [_sent(download.name, *_read(download))]
    except OSError as error:
        raise UserError(f"{error.filename or download} can't be read: {error.strerror or error}.") from error
    wanted = [file for file in files if not any(is_junk(part) for part in PurePosixPath(file.origin).parts)]
    return [each for file in wanted for each in _unpacked(file)]


def _read(path: Path) -> tuple[bytes | None, str]:
    if path.is_symlink():
        return None, "it is a link: ask for the file itself"
    if path.stat().st_size > _MOST_BYTES:
        return None, _TOO_LARGE
    return path.read_bytes(), ""


def _unzipped(data: bytes) -> Iterator[tuple[str, tuple[bytes | None, str]]]:
    """Each file in a zip by its name there; the names are never used as paths."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            if entry.file_size > _MOST_BYTES:
                yield entry.filename, (None, _TOO_LARGE)
                continue
            try:
                yield entry.filename, (archive.read(entry), "")
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
                yield entry.filename, (None, f"it can't be unpacked ({error})")


def _sent(origin: str, content: bytes | None, fault: str) -> Sent:
    path = PurePosixPath(origin)
    for depth, part in enumerate(path.parts):
        last = depth == len(path.parts) - 1
        if (moodle := _MOODLE.fullmatch(part)) is not None:
            if moodle["kind"] != "file":
                fault, content = f"it is Moodle's {moodle['kind']}, and no file", None
            name = (moodle["name"] or part) if last else path.name
            back = f"{moodle['who']}_{moodle['number']}_assignsubmission_file/"
            return Sent(
                origin,
                name,
                moodle["who"],
                number=moodle["number"],
                returns_to=back,
                content=content,
                fault=fault,
            )
        if last and (canvas := _CANVAS.fullmatch(part)) is not None:
            return Sent(
                origin,
                canvas["name"],
                canvas["who"],
                user=canvas["user"],
                attempt=int(canvas["attempt"]),
                late=canvas["late"] is not None,
                returns_to=part.removesuffix(canvas["name"]),
                content=content,
                fault=fault,
            )
    return Sent(origin, path.name, path.parts[0] if len(path.parts) > 1 else path.stem, content=content, fault=fault)


def _unpacked(file: Sent) -> list[Sent]:
    """A file itself or, if it is a zip that a student handed in, what is in it."""
    if file.content is None or not file.name.lower().endswith(".zip"):
        return [file]
    try:
        inside = [
            replace(file, origin=f"{file.origin}/{name}", name=PurePosixPath(name).name, content=content, fault=fault)
            for name, (content, fault) in _unzipped(file.content)
            if not any(is_junk(part) for part in PurePosixPath(name).parts)
        ]
    except zipfile.BadZipFile:
        return [replace(file, content=None, fault="it is a damaged zip")]
    return inside or [replace(file, content=None, fault="it is an empty zip")]
