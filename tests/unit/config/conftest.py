import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = """
    mode = "demo"

    [engine]
    [[engine.strategies]]
    id = "ema"
    class = "tradebus.strategies.ema_cross:EmaCross"

    [[instruments]]
    exchange = "sim_alpha"
    name_exchange = "BTCUSDT"
    underlying = { base = "btc", quote = "usdt" }

    [execution.sim_alpha]
    connector = "simulated"
    balances = { usdt = "1000", btc = "0" }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration: the small valid one, `add` after it, with (old, new) replacements."""

    def write_file(
        *replacements: tuple[str, str], name: str = "tradebus.toml", text: str = SMALL, add: str = ""
    ) -> Path:
        text = textwrap.dedent(text)
        for old, new in replacements:
            assert old in text, f"nothing to replace: {old}"
            text = text.replace(old, new)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + textwrap.dedent(add))
        return path

    return write_file
