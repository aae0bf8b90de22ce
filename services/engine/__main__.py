"""Run the engine service: ``python -m services.engine``."""

from services.engine.bootstrap import bootstrap
from services.runtime import main

if __name__ == "__main__":
    raise SystemExit(main("engine", bootstrap))
