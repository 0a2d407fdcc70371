"""The engines outside PostgreSQL, in the benchmark's own process: no socket, no SQL, ids only.

Qdrant Edge is the engine of Qdrant as a library, with indexes on the payload. FAISS knows no columns: the
filter is a comparison in numpy, whose bits its HNSW index looks at while it walks.
"""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import faiss
import numpy as np
import qdrant_edge as qdrant
from search_data import LENGTH, Catalogue, Condition, Floats
from search_engine import Built, Engine, Setting, folder_bytes

BATCH = 5_000


class Qdrant:
    """Qdrant Edge with its defaults (m 16, ef_construct 100), topics and price indexed before the vectors."""

    storage = "qdrant"
    stands_on: Sequence[Engine] = ()

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self._catalogue = catalogue
        self._folder = folder / "qdrant"
        self._shard: qdrant.EdgeShard | None = None
        self._parameters = qdrant.SearchParams()

    def build(self) -> Built:
        self._folder.mkdir(parents=True)
        shard = qdrant.EdgeShard.create(
            str(self._folder),
            qdrant.EdgeConfig(
                vectors=qdrant.EdgeVectorParams(size=384, distance=qdrant.Distance.Cosine), wal_enabled=False
            ),
        )
        update = qdrant.UpdateOperation
        for key, schema in (
            ("category", qdrant.PayloadSchemaType.Keyword),
            ("tags", qdrant.PayloadSchemaType.Keyword),
            ("price", qdrant.PayloadSchemaType.Float),
        ):
            shard.update(update.create_field_index(key, schema))
        started = time.perf_counter()
        catalogue = self._catalogue
        for start in range(0, catalogue.rows, BATCH):
            points = [
                qdrant.Point(
                    item + 1,
                    catalogue.vectors[item].tolist(),
                    {
                        "category": catalogue.category(item),
                        "tags": catalogue.tags(item),
                        "price": float(catalogue.price(item)),
                    },
                )
                for item in range(start, min(start + BATCH, catalogue.rows))
            ]
            shard.update(update.upsert_points(points))
        loaded = time.perf_counter()
        shard.flush()
        shard.optimize()
        shard.flush()
        seconds = time.perf_counter() - loaded
        shard.close()
        graph = sum(folder_bytes(path) for path in self._folder.rglob("vector_index*"))
        payload = sum(folder_bytes(path) for path in self._folder.rglob("payload_index*"))
        return Built(
            load_seconds=loaded - started,
            index_seconds=seconds,
            index_bytes=graph + payload,
            total_bytes=folder_bytes(self._folder),
            note=f"of the index, {payload / 2**20:.0f} MB are of the payload",
        )

    def open(self) -> None:
        self._shard = qdrant.EdgeShard.load(str(self._folder))

    def close(self) -> None:
        if self._shard is not None:
            self._shard.close()

    def configure(self, setting: Setting) -> None:
        ef = int(setting["ef"]) if "ef" in setting else None
        self._parameters = qdrant.SearchParams(hnsw_ef=ef, exact=bool(setting.get("exact")))

    def search(self, vector: Floats, condition: Condition) -> list[int]:
        assert self._shard is not None
        request = qdrant.SearchRequest(
            qdrant.Query.Nearest(vector), LENGTH, filter=_filter(condition), params=self._parameters
        )
        return [point.id for point in self._shard.search(request)]

    def version(self) -> str:
        return f"qdrant-edge-py {version('qdrant-edge-py')}"


def _filter(condition: Condition) -> qdrant.Filter | None:
    if condition.column == "none":
        return None
    if condition.max_price is not None:
        field = qdrant.FieldCondition("price", range=qdrant.RangeFloat(lte=float(condition.max_price)))
    else:
        key = "category" if condition.column == "category" else "tags"
        field = qdrant.FieldCondition(key, match=qdrant.MatchValue(condition.topic))
    return qdrant.Filter(must=[field])


class Faiss:
    """FAISS HNSW over inner products (m 16, efConstruction 40, its default) with a bitmap of what passes."""

    storage = "faiss"
    stands_on: Sequence[Engine] = ()

    def __init__(self, catalogue: Catalogue, folder: Path) -> None:
        self._catalogue = catalogue
        self._file = folder / "faiss.index"
        self._index: faiss.IndexHNSWFlat | None = None
        self._ef = 16

    def build(self) -> Built:
        index = faiss.IndexHNSWFlat(384, 16, faiss.METRIC_INNER_PRODUCT)
        started = time.perf_counter()
        for start in range(0, self._catalogue.rows, 10 * BATCH):
            index.add(self._catalogue.vectors[start : start + 10 * BATCH])
        seconds = time.perf_counter() - started
        faiss.write_index(index, str(self._file))
        total = self._file.stat().st_size
        return Built(0.0, seconds, total - self._catalogue.vectors.nbytes, total)

    def open(self) -> None:
        self._index = faiss.read_index(str(self._file))

    def close(self) -> None:
        self._index = None

    def configure(self, setting: Setting) -> None:
        self._ef = int(setting.get("ef", 16))

    def search(self, vector: Floats, condition: Condition) -> list[int]:
        assert self._index is not None
        parameters = faiss.SearchParametersHNSW(efSearch=self._ef)
        if condition.column != "none":
            bits = np.packbits(self._catalogue.passes(condition), bitorder="little")
            parameters = faiss.SearchParametersHNSW(efSearch=self._ef, sel=faiss.IDSelectorBitmap(bits))
        _, positions = self._index.search(vector[None], LENGTH, params=parameters)
        return [int(position) + 1 for position in positions[0] if position >= 0]

    def version(self) -> str:
        return f"faiss-cpu {faiss.__version__}"
