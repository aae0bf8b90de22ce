"""`python -m tradebus.cli`: the `tradebus` command where it is not installed."""

from tradebus.cli.entry import main

if __name__ == "__main__":
    main()
