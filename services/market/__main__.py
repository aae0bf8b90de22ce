"""Run the market service: ``python -m services.market``."""

import sys

from services.market.bootstrap import bootstrap
from services.runtime import main

if __name__ == "__main__":
    sys.exit(main("market", bootstrap))
