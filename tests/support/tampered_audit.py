"""Run the real audit service with one decimal of its state changed: ``python -m tests.support.tampered_audit``.

After the first hash that was equal, the realised profit of the first instrument's closed positions is changed by a
very small amount. Nothing corrects it later, so every hash from there on differs, and whoever compares the
replica with the engine must notice.
"""

from decimal import Decimal
from functools import partial
from typing import final

from services.audit.bootstrap import bootstrap
from services.audit.config import AuditConfig
from services.audit.fold import Fold
from services.audit.taken import Taken
from services.runtime import main
from tradebus.bus.message import JournalMessage
from tradebus.config.sections.modes import Mode
from tradebus.strategies.loading import load_data

LIE = Decimal("1E-12")
"""Small, but not so small that it would be lost in rounding when more is added to it."""


@final
class TamperedFold(Fold):
    """A fold that lies, once, after it has been verified."""

    is_tampered = False

    def take(self, message: JournalMessage) -> Taken:
        """Take the next message, then tamper if our state has just been proven equal."""
        taken = super().take(message)
        if not self.is_tampered and taken.check is not None and taken.check.is_equal:
            self.state.instruments[0].exits.pnl_realised += LIE
            self.is_tampered = True
        return taken


def make_tampered_fold(config: AuditConfig) -> Fold:
    """Return the fold in the place of the honest one."""
    return TamperedFold(load_data, config.limits, config.mode, with_digest=config.mode == Mode.REPLAY.value)


if __name__ == "__main__":
    raise SystemExit(main("audit", partial(bootstrap, fold_factory=make_tampered_fold)))
