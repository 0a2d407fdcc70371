"""What the vector search is worth on the user's own data: its recall, and the settings that fit."""

from recsys_pg.calibration.calibrate import CalibratedSetting, calibrate
from recsys_pg.calibration.recall import GOOD_RECALL, BandRecall, check_recall

__all__ = ["GOOD_RECALL", "BandRecall", "CalibratedSetting", "calibrate", "check_recall"]
