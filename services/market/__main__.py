"""Run the market service: ``python -m services.market``."""

from services.early import end_on_stop

end_on_stop()

from services.market.bootstrap import bootstrap  # noqa: E402 - a stop is answered while this loads
from services.runtime import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main("market", bootstrap))
