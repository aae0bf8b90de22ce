"""Keep a careless strategy in check with a risk manager of your own.

What you get: limits for what an order may be worth, how far from the market it may be priced, and how many orders may
be at work, in a class that reads the state and judges every request before it leaves. What it refuses stands in the
audit tick with the reason, beside what was sent.

    python -m examples.risk_manager
"""

import argparse
from collections import Counter
from decimal import Decimal

from examples.simulated import engine_started, spot_index, strategy_setup, swinging_market
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.tick import AuditTick, RefusedOpen, RequestsDecided
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent, PublicTrade
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, ExchangeId, StrategyId
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestCancel, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision, Strategy

MARKET = OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL
LIMIT = OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED


class Careless(Strategy):
    """At each trade: bid a little lower, and now and then buy far too much, or at far too high a price."""

    def __init__(self, strategy: StrategyId) -> None:
        self._id = strategy

    @property
    def id(self) -> StrategyId:
        """Return the strategy's id."""
        return self._id

    def generate_algo_orders(
        self,
        state: EngineState,  # noqa: ARG002 - the careless do not look
        event: EngineEvent,
    ) -> Decision | None:
        """Order without a thought."""
        if not isinstance(event, MarketEvent) or not isinstance(event.data, PublicTrade):
            return None
        price, number = event.data.price, int(event.data.id)
        key = OrderKey(event.exchange, event.instrument, self._id, NO_CLIENT_ORDER_ID)
        low = (price * Decimal("0.9")).quantize(Decimal("0.01"))
        opens = [OrderRequestOpen(key, Side.BUY, low, Decimal(1), *LIMIT)]
        if number % 10 == 0:
            opens.append(OrderRequestOpen(key, Side.BUY, price, Decimal(1_000), *MARKET))
        if number % 15 == 0:
            opens.append(OrderRequestOpen(key, Side.BUY, price * 2, Decimal("0.01"), *MARKET))
        return Decision(opens=opens)


class Limits(RiskManager):
    """Let cancels pass, and orders within three limits; what is exactly at a limit passes.

    ``value_max`` is in quote, ``distance_max`` a fraction of the market's price.
    """

    def __init__(self, value_max: Decimal, distance_max: Decimal, at_work_max: int) -> None:
        self._value_max = value_max
        self._distance_max = distance_max
        self._at_work_max = at_work_max

    def check(
        self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        """Judge each order; those approved before it count as at work."""
        approved: list[OrderRequestOpen] = []
        refused: list[RefusedOpen] = []
        for request in opens:
            problem = self._problem(state, request, approved)
            if problem:
                refused.append(RefusedOpen(request, problem))
            else:
                approved.append(request)
        return RiskDecision(cancels, tuple(approved), (), tuple(refused))

    def _problem(self, state: EngineState, request: OrderRequestOpen, approved: list[OrderRequestOpen]) -> str:
        """Return why an order must not be sent, empty if it may."""
        found = state.instruments[request.key.instrument]
        value = request.quantity * request.price * found.instrument.definition.contract.contract_size
        if value > self._value_max:
            return f"value: expected at most {self._value_max}, found {value}"
        market = found.data.price()
        if market is None or abs(request.price - market) > market * self._distance_max:
            return f"price: expected within {self._distance_max} of the market's {market}, found {request.price}"
        at_work = len(found.orders) + sum(1 for each in approved if each.key.instrument == request.key.instrument)
        if at_work >= self._at_work_max:
            return f"orders: expected at most {self._at_work_max} at work, found {at_work} before this one"
        return ""


def main() -> None:
    """Run the careless strategy under the limits and print what was refused."""
    parser = argparse.ArgumentParser(description="Keep a careless strategy in check.")
    parser.add_argument("--seconds", type=int, default=120, help="of market, two events per second and instrument")
    options = parser.parse_args()

    index = spot_index(ExchangeId.SIM_ALPHA, ["btc"])
    careless = strategy_setup("careless", "examples.risk_manager:Careless")
    started = engine_started(index, [careless], balances={"usdt": 1_000_000})
    limits = Limits(value_max=Decimal(100_000), distance_max=Decimal("0.2"), at_work_max=3)
    engine = Engine(started, [Careless(careless.id)], limits)
    sent = 0
    refused: Counter[str] = Counter()
    examples: dict[str, str] = {}

    def audit(tick: AuditTick) -> None:
        nonlocal sent
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                sent += len(output.opens_sent)
                for each in output.opens_refused:
                    limit, _, problem = each.reason.partition(": ")
                    refused[limit] += 1
                    examples.setdefault(limit, problem)

    loop = VirtualTimeLoop(engine, simulated_exchanges(started), audit)
    for event in swinging_market(index, options.seconds):
        loop.feed(event)
    print(f"{sent} orders sent, {refused.total()} refused, {len(engine.state.instruments[0].orders)} at work")
    for limit in sorted(refused):
        print(f"  {limit}: {refused[limit]}, for example: {examples[limit]}")


if __name__ == "__main__":
    main()
