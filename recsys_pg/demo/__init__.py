"""The demo: MovieLens 100k with descriptions, prices and stock, from an empty server to recommendations."""

from recsys_pg.demo.run import run_demo

__all__ = ["run_demo"]
