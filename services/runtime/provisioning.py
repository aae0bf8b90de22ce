"""Make the streams and buckets of the configured system, as the one NATS user who may.

    python -m services.runtime.provisioning

Safe to repeat; services wait for what it makes.
"""

import asyncio
import sys

from services.runtime.nats import provision_streams
from services.runtime.run import print_problems
from tradebus.bus.errors import BusError
from tradebus.config import ConfigError, ExitCode, load_settings


def main() -> int:
    """Make them, and say what was done with each; return the exit code."""
    try:
        settings = load_settings([], program="python -m services.runtime.provisioning")
        outcomes = asyncio.run(provision_streams(settings))
    except ConfigError as error:
        print_problems(error, sys.stderr)
        return ExitCode.CONFIG_INVALID
    except BusError as error:
        sys.stderr.write(f"provisioning failed: {error}\n")
        return ExitCode.FAILURE
    for name, outcome in outcomes.items():
        sys.stdout.write(f"{name}: {outcome.value}\n")
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
