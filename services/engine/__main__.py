"""Run the engine service: ``python -m services.engine``."""

from services.early import end_on_stop

end_on_stop()

from services.engine.bootstrap import bootstrap  # noqa: E402 - a stop is answered while this loads
from services.runtime import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main("engine", bootstrap))
