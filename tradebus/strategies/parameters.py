"""Read a strategy's parameters from their texts, with errors that name the strategy and the parameter."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

from tradebus.core.model.identifiers import InstrumentIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.number import NumberError, parse_decimal

LOT_DEFAULT = Decimal("0.00001")


class ParameterError(ValueError):
    """A parameter that is missing, unknown or not what it should be."""


class Parameters:
    """The parameters of one strategy; whoever reads them all calls ``refuse_rest`` so that a misspelt one is found."""

    def __init__(self, strategy: StrategyId, params: Mapping[str, str]) -> None:
        self._strategy = strategy
        self._rest = dict(params)

    def text(self, name: str, default: str) -> str:
        """Return a text."""
        return self._rest.pop(name, default)

    def count(self, name: str, default: int) -> int:
        """Return a whole number above 0."""
        text = self._rest.pop(name, str(default))
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            raise ParameterError(f"strategy {self._strategy}: {name}: expected a whole number above 0, found {text!r}")
        return int(text)

    def amount(self, name: str, default: str) -> Decimal:
        """Return a number above 0."""
        text = self._rest.pop(name, default)
        try:
            value = parse_decimal(text)
        except NumberError as error:
            raise ParameterError(f"strategy {self._strategy}: {name}: {error}") from None
        if value <= 0:
            raise ParameterError(f"strategy {self._strategy}: {name}: expected a number above 0, found {text!r}")
        return value

    def instruments(self, index: IndexedInstruments) -> frozenset[InstrumentIndex]:
        """Return the instruments named in ``instruments`` (internal names, comma between); all when it is absent."""
        text = self._rest.pop("instruments", "")
        names = {instrument.name: instrument.index for instrument in index.instruments}
        if not text:
            return frozenset(names.values())
        wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
        unknown = [name for name in wanted if name not in names]
        if unknown:
            raise ParameterError(
                f"strategy {self._strategy}: instruments: expected some of {sorted(names)}, found {unknown}"
            )
        return frozenset(names[name] for name in wanted)

    def refuse_rest(self) -> None:
        """Raise ParameterError if a parameter was given that nobody read."""
        if self._rest:
            raise ParameterError(f"strategy {self._strategy}: unknown parameters {sorted(self._rest)}")


def quantity_for(instrument: Instrument, notional: Decimal, price: Decimal) -> Decimal:
    """Return the quantity in base that ``notional`` of quote buys at a price, rounded down to the lot size."""
    spec = instrument.definition.spec
    lot = spec.lot_size if spec is not None and spec.lot_size else LOT_DEFAULT
    return (notional / price / lot).quantize(Decimal(1), rounding=ROUND_DOWN) * lot
