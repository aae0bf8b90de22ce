"""What the guides show runs: their Python from top to bottom, printing what they say; their configuration is valid."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo import PATIENCE_S, ROOT

GUIDES = ("concepts", "strategies")
BLOCK = re.compile(r"^```(python|text|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
PATH = re.compile(r"`((?:examples|strategies|tests|tradebus|services|config|docs)/[\w./]*)`")
TO_BE_WRITTEN = {"strategies/my_strategy.py"}
SEPARATOR = "\x1e"


def blocks(guide: str) -> list[tuple[str, str]]:
    """Return the blocks of a page in order, each with its language."""
    return BLOCK.findall((ROOT / "docs" / f"{guide}.md").read_text())


def run(*command: str) -> str:
    """Run a command at the root of the checkout and return what it prints; it must succeed and warn of nothing."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("guide", GUIDES)
def test_the_python_of_a_guide_runs_and_prints_what_stands_below_it(guide: str) -> None:
    found = blocks(guide)
    programs = [text for language, text in found if language == "python"]
    expected: list[str] = []
    for place, (language, _) in enumerate(found):
        if language == "python":
            follows = found[place + 1] if place + 1 < len(found) else ("", "")
            expected.append(follows[1] if follows[0] == "text" else "")
    assert len(programs) >= 3
    assert any(expected)
    printed = run(sys.executable, "-c", f"\nprint({SEPARATOR!r}, end='')\n".join(programs))
    assert printed.split(SEPARATOR) == expected


@pytest.mark.parametrize("guide", GUIDES)
def test_links_and_paths_of_a_guide_lead_somewhere(guide: str) -> None:
    text = (ROOT / "docs" / f"{guide}.md").read_text()
    for target in LINK.findall(text):
        assert (ROOT / "docs" / target).exists(), target
    for path in set(PATH.findall(text)) - TO_BE_WRITTEN:
        assert (ROOT / path).exists(), path


def test_the_strategy_of_the_guide_is_configured_as_it_says(tmp_path: Path) -> None:
    guide = blocks("strategies")
    (toml,) = (text for language, text in guide if language == "toml")
    strategy = next(text for language, text in guide if language == "python" and "class Dip(Strategy)" in text)
    (tmp_path / "my_strategy.py").write_text(strategy)
    config = (ROOT / "config" / "tradebus.toml").read_text()
    first = config.index("[[engine.strategies]]")
    rest = config.index("[[instruments]]")
    (tmp_path / "tradebus.toml").write_text(config[:first] + toml + "\n" + config[rest:])
    settings = ("--set", f"engine.strategies_dir={tmp_path}", "--config", str(tmp_path / "tradebus.toml"))
    run(sys.executable, "-m", "tradebus.cli", "config", "validate", *settings)
    made = (
        "import sys; from pathlib import Path; from tradebus.config import Flags, load_settings\n"
        "from tradebus.config.strategies import make_strategies\n"
        "settings = load_settings(Flags(config=Path(sys.argv[1]), settings=[sys.argv[2]]))\n"
        "print([type(strategy).__name__ for strategy in make_strategies(settings)])\n"
    )
    assert run(sys.executable, "-c", made, settings[3], settings[1]) == "['Dip']\n"
