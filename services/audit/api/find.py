"""Find exchanges, assets and instruments by the names that a request gives."""

from typing import Annotated, TypeAlias

from pydantic import WithJsonSchema

from services.audit.api.problems import ParameterProblem, near_matches, shown, unknown_name, wrong_parameters
from services.audit.api.views.values import Names
from services.audit.commands.known import name_schema

ExchangeName: TypeAlias = Annotated[str, WithJsonSchema(name_schema("exchange"))]
InstrumentName: TypeAlias = Annotated[str, WithJsonSchema(name_schema("instrument"))]
"""Names in a query; both are looked up by ``filters``."""


def exchange_index(names: Names, name: str) -> int:
    """Return the index of an exchange in the path; raises the 404 with near matches."""
    return _index(names.exchanges, "exchange", name)


def instrument_index(names: Names, name: str) -> int:
    """Return the index of an instrument in the path; raises the 404 with near matches."""
    return _index(names.instruments, "instrument", name)


def asset_index(names: Names, exchange: str, name: str) -> int:
    """Return the index of an asset in the path; raises the 404 with near matches."""
    exchange_id = names.exchanges[exchange_index(names, exchange)]
    assets = {
        item.asset.name_internal: i for i, item in enumerate(names.index.assets) if item.exchange.value == exchange_id
    }
    found = assets.get(name.lower())
    if found is None:
        raise unknown_name("asset", name, sorted(assets))
    return found


def filters(names: Names, *, exchange: str | None, instrument: str | None) -> tuple[int | None, int | None]:
    """Return the indices of an exchange and an instrument in the query; raises the 422 that says what is wrong."""
    wrong: list[ParameterProblem] = []
    found: list[int | None] = []
    for what, name, known in (("exchange", exchange, names.exchanges), ("instrument", instrument, names.instruments)):
        if name is None:
            found.append(None)
        elif name.lower() in known:
            found.append(known.index(name.lower()))
        else:
            found.append(None)
            near = near_matches(name, known)
            expected = f"an {what} of this journal"
            found_text = shown(name)
            wrong.append(
                ParameterProblem(where="query", name=what, expected=expected, found=found_text, near=near or None)
            )
    if wrong:
        raise wrong_parameters(wrong)
    return found[0], found[1]


def _index(known: list[str], what: str, name: str) -> int:
    wanted = name.lower()
    if wanted not in known:
        raise unknown_name(what, name, known)
    return known.index(wanted)
