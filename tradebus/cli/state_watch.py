"""Print the events of the stream, a line each."""

import json
import sys
from itertools import islice

from rich.text import Text

from tradebus.cli.asking import asking
from tradebus.cli.output import stdout
from tradebus.client import StreamEvent

_LINE_CHARACTERS = 160
_NOTABLE = {"reset": "bold red", "snapshot": "bold", "trade": "green", "trading": "yellow", "command": "magenta"}


def watch_events(
    url: str, key: str | None, topics: str | None, instruments: str | None, count: int | None, *, as_json: bool
) -> None:
    """Print events until there were ``count``, or Ctrl-C."""
    with asking(url, key, as_json=as_json) as client:
        events = client.stream(_listed(topics), instruments=_listed(instruments))
        try:
            for event in islice(events, count):
                _print(event, as_json=as_json)
        except KeyboardInterrupt:
            return


def _listed(text: str | None) -> list[str]:
    return [] if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _print(event: StreamEvent, *, as_json: bool) -> None:
    if as_json:
        line = {"event": event.name, "id": event.id, "data": event.data}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    body = json.dumps(event.data, ensure_ascii=False)
    body = body if len(body) <= _LINE_CHARACTERS else body[:_LINE_CHARACTERS] + "…"
    style = _NOTABLE.get(event.name, "cyan")
    stdout().print(Text.assemble(f"{(event.id or '').partition('@')[0]:>12} ", (f"{event.name:<12}", style), " ", body))
