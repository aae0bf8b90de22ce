"""What `services.up` does, with fake services: `python run_fakes.py DATA_DIR CONFIG NAME...`."""

import asyncio
import sys
from pathlib import Path

from services.runtime import ServiceName
from services.supervisor import Program, RestartPolicy, Supervisor, Terminal, foreground
from tradebus.config import Flags, load

FAKE = Path(__file__).with_name("fake_service.py")


def programs(*names: ServiceName) -> tuple[Program, ...]:
    return tuple(Program(name, (sys.executable, str(FAKE), name)) for name in names)


async def main(argv: list[str]) -> int:
    data_dir, config, *names = argv
    settings = load(Flags(Path(config)), {}).settings
    progress = Terminal()
    supervisor = Supervisor(
        settings,
        data_dir=Path(data_dir),
        any_ports=True,
        programs=programs(*names),  # type: ignore[arg-type]
        progress=progress,
        policy=RestartPolicy(wait_initial_s=0.02, wait_max_s=0.05, crashes_max=1, window_s=60),
    )
    return await foreground.run(supervisor, progress)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[1:])))
