"""Logs of a service: one JSON object a line on stdout, ours and the libraries' alike."""

import logging
import sys
from typing import Final

import structlog
from structlog.typing import EventDict, Processor

_LIBRARIES_TOO_CHATTY: Final = ("aiohttp.access", "uvicorn.access", "nats.aio.client")


def configure_logs(level: str, form: str, **bound: str) -> None:
    """Send all logs to stdout with `bound` (service, instance, mode) on every line.

    `level` is debug, info, warning or error; `form` is `json`, or `console` for reading at a terminal.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _identity(bound),
        structlog.processors.StackInfoRenderer(),
    ]
    if form == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer: Processor = structlog.processors.JSONRenderer(default=str)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _LIBRARIES_TOO_CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _identity(bound: dict[str, str]) -> Processor:
    """Return a processor that puts time, level, who and what first, so that a line reads from left to right.

    Not context variables: callbacks of libraries run in contexts that we did not make.
    """

    def arrange(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {"time": event.pop("time"), "level": event.pop("level"), **bound, "event": event.pop("event"), **event}

    return arrange
