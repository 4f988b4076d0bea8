"""Where blocks are worked on: threads, other processes, a cluster."""

from destructors.rows.engines._engine import Engine, find_engine

__all__ = ["Engine", "find_engine"]
