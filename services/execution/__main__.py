"""Run the execution service: ``python -m services.execution``."""

from services.execution.bootstrap import bootstrap
from services.runtime import main

if __name__ == "__main__":
    raise SystemExit(main("execution", bootstrap))
