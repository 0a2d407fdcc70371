"""SQLAlchemy models of the tables in schema recsys, for queries and joins with an application's own models.

The migrations create the tables; these classes only map them.
"""

from recsys_pg.models.base import Base, Embedding, EmbeddingType
from recsys_pg.models.control import Impression, Scenario, ScenarioBoost, ScenarioPin
from recsys_pg.models.learned import (
    ContentFeature,
    ContentMap,
    ItemFactors,
    ItemNeighbors,
    ItemResiduals,
)
from recsys_pg.models.search import (
    CatalogueLanguage,
    DeferredIndex,
    FilterRule,
    FilterSample,
    ItemText,
    QueryEmbedding,
    RecallCheck,
    SearchableItem,
    SearchIndex,
    StandbySearchableItem,
)
from recsys_pg.models.tables import (
    ApiObject,
    EmbeddingJob,
    Interaction,
    InteractionKind,
    Item,
    ItemPopularity,
    Model,
    Setting,
    TasteChange,
    User,
)

__all__ = [
    "ApiObject",
    "Base",
    "CatalogueLanguage",
    "ContentFeature",
    "ContentMap",
    "DeferredIndex",
    "Embedding",
    "EmbeddingJob",
    "EmbeddingType",
    "FilterRule",
    "FilterSample",
    "Impression",
    "Interaction",
    "InteractionKind",
    "Item",
    "ItemFactors",
    "ItemNeighbors",
    "ItemPopularity",
    "ItemResiduals",
    "ItemText",
    "Model",
    "QueryEmbedding",
    "RecallCheck",
    "Scenario",
    "ScenarioBoost",
    "ScenarioPin",
    "SearchIndex",
    "SearchableItem",
    "Setting",
    "StandbySearchableItem",
    "TasteChange",
    "User",
]
