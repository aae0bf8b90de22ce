"""Keep the health of every link: the feed and the account of each exchange.

Source: barter 0.12.5 ``engine/state/connectivity``. An exchange without an account counts as healthy when its feed is
(the reference waits for an account that never comes), and the global health is derived on read.
"""

from typing import ClassVar, final

from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.model.record import Record


@final
class ConnectivityState(Record):
    """The links of one exchange."""

    FIELDS: ClassVar[tuple[str, ...]] = ("market_data", "account", "link")

    def __init__(self, market_data: Health, account: Health, link: AccountLink) -> None:
        self.market_data = market_data
        self.account = account
        self.link = link

    @property
    def has_account(self) -> bool:
        """Tell whether the exchange is traded on, not only watched."""
        return self.link is not AccountLink.NOT_CONFIGURED

    @property
    def is_healthy(self) -> bool:
        """Tell whether every link that is used works."""
        return self.market_data is Health.HEALTHY and (self.account is Health.HEALTHY or not self.has_account)


def global_health(states: list[ConnectivityState]) -> Health:
    """Return healthy if every link of every exchange works."""
    for state in states:
        if not state.is_healthy:
            return Health.RECONNECTING
    return Health.HEALTHY
