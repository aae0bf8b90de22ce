"""Make risk checks from their setup: the library's by their names, users' by class path, ``package.module:Class``."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.composite import RiskChecks
from tradebus.core.risk.interface import RiskManager

_CHECKS: Final = "tradebus.core.risk.checks"

BUILT_IN: Final = {
    "max_order_notional": f"{_CHECKS}.notional:MaxOrderNotional",
    "max_order_quantity": f"{_CHECKS}.quantity:MaxOrderQuantity",
    "price_band": f"{_CHECKS}.price_band:PriceBand",
    "max_open_orders": f"{_CHECKS}.open_orders:MaxOpenOrders",
    "max_position": f"{_CHECKS}.position:MaxPosition",
    "max_exposure": f"{_CHECKS}.exposure:MaxExposure",
    "order_rate": f"{_CHECKS}.order_rate:OrderRate",
    "self_cross": f"{_CHECKS}.self_cross:SelfCross",
}
"""The class paths of the library's risk checks by the names that a configuration gives them."""


class RiskCheckNotFound(ImportError):
    """A class path that leads to no risk check; the message says which part is missing."""


def load_check(setup: RiskCheckSetup, index: IndexedInstruments) -> RiskCheck:
    """Return a new risk check; raises RiskCheckNotFound, or what its constructor raises for bad parameters."""
    module_name, colon, class_name = setup.class_path.partition(":")
    if not colon or not module_name or not class_name:
        raise RiskCheckNotFound(f"risk check {setup.id}: expected 'package.module:Class', found {setup.class_path!r}")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise RiskCheckNotFound(f"risk check {setup.id}: no module {error.name!r} for {setup.class_path!r}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type) or not issubclass(found, RiskCheck):
        raise RiskCheckNotFound(f"risk check {setup.id}: {module_name} has no risk check class {class_name!r}")
    make: Callable[..., RiskCheck] = found
    check = make(setup.id, dict(setup.params), index)
    if check.id != setup.id:
        raise RiskCheckNotFound(f"risk check {setup.id}: made was one that calls itself {check.id!r}")
    return check


def load_risk(setups: Sequence[RiskCheckSetup], index: IndexedInstruments) -> RiskManager:
    """Return the risk manager that runs these checks; without any it approves everything."""
    return RiskChecks([load_check(setup, index) for setup in setups]) if setups else RiskManager()
