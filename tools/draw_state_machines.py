"""Draw docs/state-machines.md from the tables that the code runs; with --check fail where it is stale."""

import argparse
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

from tradebus.core.model.amend_machine import AMEND_TABLE, AmendCause, Amending, AmendMove
from tradebus.core.model.order_machine import TABLE, Cause, Move, Tracked

T = TypeVar("T", bound=Enum)

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "state-machines.md"

HEAD = """\
# State machines

Generated from the tables that the code runs: `python tools/draw_state_machines.py`. Edit the tables, not this page.

"""

ORDERS = """\
## Orders

`tradebus/core/model/order_machine.py`. An order is tracked from the request until its end is known. A *snapshot* is the
venue's view of an order, also the answer to an open request; *full* means that nothing of its quantity remains.
*In doubt* means that no answer will come: a timeout, a lost link, an owner that crashed. It is never an end: an unknown
order counts as live, against limits and exposure, until the venue is found to say what it is. A *fill* is counted by
the order; it is *full* when the fills, or what the venue says is filled, come to its quantity. An order that ends is
*finished* if its id is one that the engine derived, and untracked if the id was chosen by somebody else.

"""

STATES = {
    Tracked.UNTRACKED: "no such order, and its id says nothing: never sent, or not ours",
    Tracked.OPEN_IN_FLIGHT: "the request has left, the venue has not answered",
    Tracked.OPEN_UNKNOWN: "the request has left, and no answer will come: whether the order lives is not known",
    Tracked.OPEN: "the venue acknowledged it: it has the venue's id",
    Tracked.CANCEL_IN_FLIGHT: "a cancel has left; the order may still fill until the answer",
    Tracked.CANCEL_UNKNOWN: "a cancel has left, and no answer will come: the order may be live or gone",
    Tracked.FINISHED: "ours and over: its id was given out before, and no active order has it",
}

MOVES = {
    Move.IGNORE: "nothing changes",
    Move.INSERT: "the incoming order is tracked as given",
    Move.REMOVE: "the order is finished and leaves",
    Move.REMOVE_UNACKNOWLEDGED: "the order never was, and leaves, unless the venue has acknowledged it",
    Move.TO_OPEN: "the incoming open part replaces ours, unless it is older",
    Move.TO_OPEN_UNKNOWN: "no answer will come",
    Move.TO_CANCEL_IN_FLIGHT: "a cancel is in flight over the newer of both open parts",
    Move.TO_CANCEL_UNKNOWN: "no answer to the cancel will come; the newer of both open parts is kept",
    Move.RESOLVE: "found open after all, unless what was found is older than what we know",
    Move.RESTORE: "the cancel failed: open again, or unknown where the venue never acknowledged it",
}

# Where a move leads. An insertion leads to the state that comes in, a restored order to the one under the cancel.
INSERTED = {
    Cause.REQUEST_OPEN: Tracked.OPEN_IN_FLIGHT,
    Cause.SNAPSHOT_OPEN_IN_FLIGHT: Tracked.OPEN_IN_FLIGHT,
    Cause.SNAPSHOT_OPEN_UNKNOWN: Tracked.OPEN_UNKNOWN,
    Cause.SNAPSHOT_OPEN: Tracked.OPEN,
    Cause.SNAPSHOT_CANCEL_IN_FLIGHT: Tracked.CANCEL_IN_FLIGHT,
    Cause.SNAPSHOT_CANCEL_UNKNOWN: Tracked.CANCEL_UNKNOWN,
}
TARGETS = {
    Move.REMOVE: (Tracked.FINISHED, Tracked.UNTRACKED),
    Move.TO_OPEN: (Tracked.OPEN,),
    Move.TO_OPEN_UNKNOWN: (Tracked.OPEN_UNKNOWN,),
    Move.TO_CANCEL_IN_FLIGHT: (Tracked.CANCEL_IN_FLIGHT,),
    Move.TO_CANCEL_UNKNOWN: (Tracked.CANCEL_UNKNOWN,),
    Move.RESTORE: (Tracked.OPEN, Tracked.OPEN_UNKNOWN),
}


AMENDS = """\
## Amends

`tradebus/core/model/amend_machine.py`. An open limit order may be asked to change its price or quantity. Beside its
state it then holds what is asked for, until that is answered; limits count the larger quantity. *Seen* is the venue's
view of the order, with the price and quantity that were asked for, or with others; an older view than the last says
nothing.

"""

AMEND_STATES = {
    Amending.NONE: "the order's price and quantity are what the venue has",
    Amending.IN_FLIGHT: "an amend has left, the venue has not answered",
    Amending.UNKNOWN: "an amend has left, and no answer will come: either may be true",
}

AMEND_MOVES = {
    AmendMove.IGNORE: "nothing changes",
    AmendMove.ASK: "the new values are asked for beside those that stand",
    AmendMove.TAKE: "the venue's values stand, and nothing else is asked for",
    AmendMove.DROP: "the old values stand, and nothing else is asked for",
    AmendMove.DOUBT: "no answer will come",
}

AMEND_TARGETS = {
    AmendMove.ASK: Amending.IN_FLIGHT,
    AmendMove.TAKE: Amending.NONE,
    AmendMove.DROP: Amending.NONE,
    AmendMove.DOUBT: Amending.UNKNOWN,
}


def words(member: Enum) -> str:
    """Return a name as words."""
    return member.name.lower().replace("_", " ")


def targets(state: Tracked, cause: Cause) -> tuple[Tracked, ...]:
    """Return where a pair of the table leads; itself where nothing changes."""
    move = TABLE[state, cause]
    if move is Move.IGNORE:
        return (state,)
    if move is Move.INSERT:
        return (INSERTED[cause],)
    if move is Move.REMOVE_UNACKNOWLEDGED:
        return (Tracked.FINISHED, Tracked.UNTRACKED, state)
    if move is Move.RESOLVE:
        return (Tracked.OPEN, state)
    return TARGETS[move]


def diagram() -> str:
    """Return the moves that change the state, as a Mermaid diagram."""
    causes: dict[tuple[Tracked, Tracked], list[str]] = {}
    for state, cause in TABLE:
        for target in targets(state, cause):
            if target is not state:
                causes.setdefault((state, target), []).append(words(cause))
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {state.name.lower()} : {words(state)}" for state in Tracked]
    lines.append("    [*] --> untracked")
    for (state, target), labels in causes.items():
        lines.append(f"    {state.name.lower()} --> {target.name.lower()} : {', '.join(labels)}")
    return "\n".join([*lines, "```", ""])


def table() -> str:
    """Return every pair of state and cause with its move."""
    lines = ["| cause | " + " | ".join(words(state) for state in Tracked) + " |", "| --- " * (len(Tracked) + 1) + "|"]
    for cause in Cause:
        moves = [TABLE.get((state, cause)) for state in Tracked]
        cells = ["cannot happen" if move is None else words(move) for move in moves]
        lines.append(f"| {words(cause)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def amend_target(state: Amending, cause: AmendCause) -> Amending:
    """Return where a pair of the table of amends leads."""
    return AMEND_TARGETS.get(AMEND_TABLE[state, cause], state)


def amend_diagram() -> str:
    """Return the moves of an amend that change its state, as a Mermaid diagram."""
    causes: dict[tuple[Amending, Amending], list[str]] = {}
    for state, cause in AMEND_TABLE:
        target = amend_target(state, cause)
        if target is not state:
            causes.setdefault((state, target), []).append(words(cause))
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> none"]
    for (state, target), labels in causes.items():
        lines.append(f"    {state.name.lower()} --> {target.name.lower()} : {', '.join(labels)}")
    return "\n".join([*lines, "```", ""])


def amend_table() -> str:
    """Return every pair of what is asked for and cause with its move."""
    head = "| cause | " + " | ".join(words(state) for state in Amending) + " |"
    lines = [head, "| --- " * (len(Amending) + 1) + "|"]
    for cause in AmendCause:
        cells = [words(AMEND_TABLE[state, cause]) for state in Amending]
        lines.append(f"| {words(cause)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def definitions(meanings: Mapping[T, str], head: str) -> str:
    """Return what each member means, as a table."""
    lines = [f"| {head} | meaning |", "| --- | --- |"]
    lines += [f"| {words(member)} | {meaning} |" for member, meaning in meanings.items()]
    return "\n".join([*lines, ""])


def document() -> str:
    """Return the whole page."""
    parts = [
        HEAD + ORDERS + definitions(STATES, "state"),
        diagram(),
        table(),
        definitions(MOVES, "move"),
        AMENDS + definitions(AMEND_STATES, "state"),
        amend_diagram(),
        amend_table(),
        definitions(AMEND_MOVES, "move"),
    ]
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check compare it; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where the page is stale")
    drawn = document()
    if not parser.parse_args().check:
        DOCUMENT.write_text(drawn, encoding="utf-8")
        return 0
    if DOCUMENT.read_text(encoding="utf-8") == drawn:
        return 0
    print(f"{DOCUMENT.relative_to(ROOT)} is stale: run python tools/draw_state_machines.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
