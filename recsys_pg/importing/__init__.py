"""Files into the database: MovieLens and RecBole data sets, CSV, JSON Lines and Parquet."""

from recsys_pg.importing.columns import Attributes, Content
from recsys_pg.importing.dataset import Dataset, open_dataset, read_interactions, read_items, read_users
from recsys_pg.importing.detection import Format, detect
from recsys_pg.importing.importer import ImportReport, import_dataset
from recsys_pg.importing.source import InvalidLine, Source
from recsys_pg.importing.titles import natural_title

__all__ = [
    "Attributes",
    "Content",
    "Dataset",
    "Format",
    "ImportReport",
    "InvalidLine",
    "Source",
    "detect",
    "import_dataset",
    "natural_title",
    "open_dataset",
    "read_interactions",
    "read_items",
    "read_users",
]
