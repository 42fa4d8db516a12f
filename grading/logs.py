"""What nbgrader says while it works: kept in a file, and out of the instructor's terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grading.harmless import plain_text


class Reason(logging.Handler):
    """Keeps what the first traceback in the log ends with: nbgrader's own exceptions don't give the reason."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging` for each record."""
        message = record.getMessage()
        if message.startswith("Traceback") and not self.text:
            lines = plain_text(message).rstrip().splitlines()
            # SQLAlchemy's errors end in the statement and an address: what is wrong is said in a line before.
            said = (line for line in lines if line.startswith("sqlalchemy.exc."))
            self.text = next(said, lines[-1])


class _Plain(logging.Formatter):
    """What students named and printed is in the log as well, which someone may read in a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Called by the handler that writes the file, for each record."""
        return plain_text(super().format(record))


@contextmanager
def logging_to(path: Path) -> Iterator[Reason]:
    """Send what nbgrader, the kernels' clients and Python's warnings say to a file, and nothing to the screen."""
    reason = Reason()
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_file.setFormatter(_Plain("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger("traitlets"), logging.getLogger("py.warnings")]
    logging.captureWarnings(True)
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(to_file)
        logger.addHandler(reason)
    try:
        yield reason
    finally:
        logging.captureWarnings(False)
        for logger in loggers:
            logger.removeHandler(to_file)
            logger.removeHandler(reason)
        to_file.close()
