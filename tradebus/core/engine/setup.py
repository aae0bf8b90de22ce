"""Say how the configurable parts of an engine are set up: it stands in the journal, so that every process knows it."""

from typing import ClassVar, Final, final

from tradebus.core.model.record import Record


@final
class RiskCheckSetup(Record):
    """A risk check of the engine: its id, the class that makes it, and its parameters (name, text), sorted by name.

    A check with the parameters ``orders_max`` and ``window_ms`` has a window in the state: the times at which orders
    were sent lately, all together or (``per`` is ``exchange``) for each exchange.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "class_path", "params")

    def __init__(self, id: str, class_path: str, params: tuple[tuple[str, str], ...]) -> None:
        self.id: Final = id
        self.class_path: Final = class_path
        self.params: Final = params
