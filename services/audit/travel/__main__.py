"""Run the process that answers for the past: ``python -m services.audit.travel``; the audit service starts it."""

from services.audit.travel.worker import main

if __name__ == "__main__":
    main()
