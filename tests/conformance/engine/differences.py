"""List where we differ from the reference on purpose. Everything else must match.

Allowed are defects that the specification marks (``[fix]``, section 17 of the engine's) and consequences of a numbered
design decision. Each entry says where it may apply; that it does, and that ours is then what the rule says, is asserted
case by case. ``docs/differences.md`` explains them to users.
"""

from dataclasses import dataclass

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: the places (file, group or ``*``), the field or condition, the rule behind it, and the reason."""

    places: tuple[Place, ...]
    condition: str
    rule: str
    reason: str


AUDIT: Place = ("engine/audit_sequence.json", "scripts")
DATA: Place = ("engine/instrument_data.json", "default_market_data")
CONNECTIVITY: Place = ("engine/connectivity.json", "scripts")
RATIOS: Place = ("engine/statistics_ratios.json", "*")
TEAR_SHEET: Place = ("engine/statistics_tearsheet.json", "tear_sheet")
POSITIONS: Place = ("engine/positions.json", "update_from_trades")
RUNNER: Place = ("engine/replica_runner.json", "runner")
ORDERS = "engine/orders.json"
INDEXER: Place = ("execution/indexer.json", "cases")
MOCK: Place = ("execution/mock_exchange.json", "cases")

DIFFERENCES: dict[str, Difference] = {
    "equal-time-trades": Difference(
        (DATA, AUDIT),
        "price, where several trades have the same exchange time",
        "engine.md section 17: same-timestamp trades after the first are ignored",
        "the last of them is the newest we know; venues give whole bursts one millisecond",
    ),
    "one-time-per-book": Difference(
        (DATA,),
        "price, where a book's own last_update_time is not the event's time",
        "design decision 6: the event's exchange time alone decides staleness within one kind",
        "one event has one exchange time",
    ),
    "full-order-leaves": Difference(
        ((ORDERS, "order_snapshot"), (ORDERS, "lifecycle"), AUDIT),
        "tracked orders, when an open snapshot says that nothing remains",
        "engine.md section 17: fully filled open snapshots stay tracked",
        "an order with nothing left cannot trade; it would be tracked for ever",
    ),
    "refused-cancel-keeps": Difference(
        ((ORDERS, "cancel_response"), (ORDERS, "lifecycle"), AUDIT),
        "tracked orders, when the cancel of an unacknowledged order is refused",
        "engine.md section 17: a failed cancel of an unacknowledged order drops it",
        "the order may be live; what became of it is unknown until the venue says more",
    ),
    "timeout-keeps": Difference(
        ((ORDERS, "order_snapshot"), (ORDERS, "cancel_response"), (ORDERS, "lifecycle"), AUDIT),
        "tracked orders, when a request failed by a timeout or another failure of the connection",
        "engine.md section 17: a local open timeout drops an order that may be live; design decision 15",
        "a timeout is not a rejection: the order's state is unknown until the venue is found to say what it is",
    ),
    "colliding-id-refused": Difference(
        ((ORDERS, "record_in_flight_open"), (ORDERS, "lifecycle"), AUDIT),
        "an open request whose client order id is in use by an active order",
        "engine.md section 17: cid collisions silently overwrite",
        "the request is refused with the reason and the first order stays",
    ),
    "fills-count": Difference(
        (AUDIT,),
        "tracked orders, when one of them was filled",
        "engine.md section 17: partially filled data is not derived from trades",
        "a fill proves that the order is live and how much of it is filled; full by its fills, it leaves",
    ),
    "fill-applied-once": Difference(
        (AUDIT,),
        "position, when a fill came twice",
        "engine.md section 17: duplicate trades are counted twice",
        "venues are asked for their trades again after a lost link, with overlap",
    ),
    "data-only-exchange": Difference(
        (CONNECTIVITY, AUDIT),
        "global_health, with an exchange that has no account",
        "engine.md section 17: global health needs an account link on every tracked exchange",
        "an account that does not exist cannot be awaited",
    ),
    "derived-health": Difference(
        (CONNECTIVITY, AUDIT),
        "global_health, where the initial one contradicts the links",
        "design decision 5: what can be derived is derived on read",
        "it is not stored, so it cannot disagree with the links",
    ),
    "override-is-told": Difference(
        (AUDIT,),
        "outputs, when a command sends orders that the risk manager refuses",
        "engine.md section 17: commands and close_positions bypass risk",
        "commands pass the risk manager; the reference's way is an explicit override, which the tick tells",
    ),
    "close-counts-orders": Difference(
        (AUDIT,),
        "orders of a command to close positions, where orders at work close them already",
        "engine.md section 17: repeated close_positions sends duplicate orders",
        "only what no market, immediate or cancel, or fill or kill order closes already is closed",
    ),
    "infinite-stays": Difference(
        (RATIOS, TEAR_SHEET),
        "a scaled return or ratio that stands for infinity, or overflows",
        "engine.md section 17: MIN overflows to +MAX on scaling; infinite ratios scaled down become finite",
        "infinite is infinite over every interval, and keeps its sign",
    ),
    "returns-of-a-period": Difference(
        (TEAR_SHEET,),
        "return and ratios of an instrument, with several positions or a risk-free return",
        "engine.md section 17: the mean return per position is treated as the return of the whole period; rf is not "
        "converted",
        "the period's return is the sum of its positions', each of n stands for an n-th of it, and the risk-free "
        "return is per year and converted",
    ),
    "wins-not-losses": Difference(
        (TEAR_SHEET,),
        "win_rate",
        "engine.md section 17: win_rate is the loss rate",
        "the share of positions that made a profit",
    ),
    "gross-profits": Difference(
        (TEAR_SHEET,),
        "profit_factor",
        "engine.md section 17: profit_factor uses the net sum instead of gross profit",
        "gross profits over gross losses",
    ),
    "algo-output-kept": Difference(
        (AUDIT,),
        "outputs, when an algorithmic order could not be sent for good",
        "engine.md section 17: the failed algo audit omits what was sent; design decision 3",
        "requests that left and changed state stand in the tick, beside the errors",
    ),
    "trades-counted": Difference(
        (POSITIONS, AUDIT),
        "trades of a position",
        "design decision 7: no list that grows for ever",
        "a position keeps the count and a digest of its fills' ids; the fills themselves stand in the journal",
    ),
    "pnl-unrealised-derived": Difference(
        (POSITIONS, AUDIT),
        "pnl_unrealised of a position",
        "engine.md section 17: not marked to market; design decision 5: derived on read",
        "the open profit follows from the price at hand, with approximate exit fees from the first fill on",
    ),
    "foreign-fill-raises": Difference(
        (POSITIONS,),
        "a fill of another instrument given to a position",
        "design decision 1: the core has no log; it answers or raises",
        "the position is unchanged, as in the reference, but the mistake is an error and not a line in a log",
    ),
    "engine-time": Difference(
        (("engine/clock.json", "historical_elapsed"), ("engine/clock.json", "out_of_order_severity")),
        "time between events, and the log level of a late one",
        "design decision 6: engine time is the running maximum; section 17: wall-clock drift",
        "virtual time stands still between events, and a late event is ordinary",
    ),
    "nothing-to-shut-down": Difference(
        (RUNNER,),
        "execution_shutdown_sent",
        "design decision 1: the core returns, the shell sends",
        "the core has no channels; the shell closes its own when it sees a terminal tick",
    ),
    "derived-ids": Difference(
        (("execution/models.json", "cases"),),
        "client order ids",
        "design decision 7: derived, not random",
        "the same journal gives the same ids",
    ),
    "simulated-venues": Difference(
        (("instruments/exchange_ids.json", "cases"),),
        "the list of exchange ids",
        "design section 5: sim_alpha and sim_beta of the demo",
        "they follow the reference's ids, so its order and indices are the same",
    ),
    "snake-case-name": Difference(
        (("instruments/names.json", "cases"),),
        "internal name from exchange and underlying",
        "instruments.md section 3 [fix]",
        "the exchange is written as everywhere else",
    ),
    "asset-clash-refused": Difference(
        (("instruments/index_builder.json", "cases"),),
        "two assets of one exchange with the same internal name",
        "instruments.md section 5 [fix]: refuse the clash",
        "every instrument would resolve to the first of them without a word",
    ),
    "both-balances": Difference(
        (MOCK,),
        "balances after a fill",
        "execution.md section 8.3 [fix], the vector's corrected values",
        "a fill moves both assets: what is sold leaves, what is bought arrives",
    ),
    "answers-are-events": Difference(
        (MOCK,),
        "the reply to an open request",
        "design decision 18: the simulated exchange answers with account events only",
        "an order that fills at once is told as fully filled; there is no second way to learn of it",
    ),
    "answers-take-time": Difference(
        (MOCK,),
        "when a cancel is refused as off line",
        "engine.md section 17: answers cancels with an ExchangeOffline error, because the reply is dropped",
        "it is answered as every other request, after the latency",
    ),
    "nanosecond-halves": Difference(
        (MOCK,),
        "exchange time, where the latency is an odd number of milliseconds",
        "design decision 5: times are nanoseconds",
        "half of it is half of it",
    ),
    "quantity-above-0": Difference(
        (MOCK,),
        "orders of quantity 0 or less",
        "execution.md section 8.3 [fix]: refuse non-positive",
        "a negative quantity would be the other side",
    ),
    "snapshot-lists-orders": Difference(
        (INDEXER,),
        "instruments without orders in a snapshot",
        "containers: a snapshot of an account is a list of balances and a list of orders",
        "each order names its instrument; one without orders has nothing to say",
    ),
    "misdirected-refused": Difference(
        (INDEXER,),
        "a request whose instrument is another exchange's",
        "execution.md section 7 [fix]: translated instead of refused",
        "it would trade something else under the same name",
    ),
    "unknown-parts-left-out": Difference(
        (INDEXER,),
        "a snapshot with an asset or instrument that is not indexed, or an error about one",
        "execution.md section 7 [fix]: any failed look-up fails the whole item",
        "the rest is true all the same; what was left out is told",
    ),
    "accounts-have-names": Difference(
        (("engine/execution_manager.json", "stream_key"),),
        "the key of an account's stream",
        "design decision 14: an account is named after its exchange, a simulated one with -paper",
        "two accounts' streams need two names",
    ),
    "one-engine-loop": Difference(
        (("engine/config_backtest.json", "config"),),
        "engine_feed_mode and audit_mode of a system",
        "design decisions 1 and 10: the core is a function, and every step is in the journal",
        "there is no other feed, and no engine without audit",
    ),
}
