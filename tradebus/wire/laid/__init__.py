"""The frequent messages, laid out by hand in the same bytes as the generated code, and compiled with the core.

Nearly everything on the bus is a public trade or a best bid and ask, alone or in a tick without outputs. What stands
here reads and writes just these, several times faster than protobuf's Python classes; for anything else, and for
anything wrong, it says so and ``wire.codec`` takes over, which knows the whole contract and names every fault.
"""
