"""Changing the embedding model while the shop is open: fill and check a second set of vectors, then switch.

Searches read the columns and indexes of one name; a switch renames what stands beside them, in one
transaction that changes no row. So what a statement sees belongs to one model, whenever it began.
"""

from recsys_pg.model_switch.switch import SwitchReport, finish_switch, switch_model

__all__ = ["SwitchReport", "finish_switch", "switch_model"]
