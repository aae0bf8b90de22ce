"""Run the audit service: ``python -m services.audit``."""

from services.audit.bootstrap import bootstrap
from services.runtime import main

if __name__ == "__main__":
    raise SystemExit(main("audit", bootstrap))
