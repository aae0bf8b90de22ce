"""What was: answers about the state at any tick of the past, from archive and checkpoints, in a process of its own.

``machine`` is what the service asks, ``worker`` the process that answers, ``rebuild`` how it gets the state.
"""
