"""The example of the document on risk works, and names every check there is."""

from pathlib import Path
from typing import Any

from tests.support.builders import engine_started, fill, filled, open_request, public_trade, setup_of, usual_index
from tests.support.scenario import Scripted, answer_once, decided, follow
from tradebus.core.model.side import Side
from tradebus.core.risk.composite import RiskChecks
from tradebus.core.strategy.interface import Decision
from tradebus.strategies.checks import BUILT_IN

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "risk.md"


def test_it_names_every_check() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in BUILT_IN if f"| `{name}` |" not in text] == []


def test_its_example_refuses_shorts() -> None:
    code = DOCUMENT.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the document's own example
    check = names["NoShorts"]("no_shorts", {}, usual_index())
    orders = Decision((), [open_request("a", Side.SELL, quantity=2), open_request("b", Side.SELL, quantity=3)])
    strategy = Scripted(answer_once(orders))
    followed = follow(strategy, started=engine_started([setup_of(strategy.id)]), risk=RiskChecks([check]))
    output = decided(followed.process(filled(fill(quantity=2))))
    assert [request.key.cid for request in output.opens_sent] == ["a"]
    assert [refused.reason for refused in output.opens_refused] == ["no_shorts: expected to sell at most 2, found 3"]
    assert followed.process(public_trade()).outputs == ()
