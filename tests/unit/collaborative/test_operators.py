"""Each operator against a plain computation of its formula."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from recsys_pg.collaborative.operators.content import content
from recsys_pg.collaborative.operators.cooccurrence import cooccurrence
from recsys_pg.collaborative.operators.ials import ials
from recsys_pg.collaborative.operators.lowpass import lowpass
from recsys_pg.collaborative.operators.next_item import next_item_ridge, transitions
from recsys_pg.collaborative.operators.operator import Operator, OperatorSum
from recsys_pg.collaborative.sequences import Sequences
from recsys_pg.collaborative.singular import right_singular_vectors


def likes(users: int = 80, items: int = 30, density: float = 0.15, seed: int = 0) -> csr_array:
    matrix = csr_array(random_array((users, items), density=density, rng=np.random.default_rng(seed)))
    matrix.data[:] = 1
    return matrix.astype(np.float32)


def full(operator: Operator) -> np.ndarray:
    return operator.rows(slice(0, operator.n_items))


def some_operators() -> list[Operator]:
    random = np.random.default_rng(1)
    left, right = random.normal(size=(2, 30, 4)).astype(np.float32)
    graph = random.normal(size=(30, 30)).astype(np.float32)
    sparse = csr_array(np.where(graph > 1, graph, 0))
    return [
        Operator(left, right),
        Operator(graph=graph),
        Operator(graph=sparse),
        Operator(left, right, sparse),
        Operator(left, left, ratio=random.uniform(0.5, 2, 30).astype(np.float32)),
    ]


@pytest.mark.parametrize("operator", some_operators())
def test_all_ways_to_apply_an_operator_agree(operator):
    matrix = full(operator)
    assert operator.scores(likes()) == pytest.approx(likes().toarray() @ matrix, abs=1e-4)
    assert operator.rows(slice(3, 7)) == pytest.approx(matrix[3:7], abs=1e-5)


def added(operators: list[Operator], weights: list[float]) -> OperatorSum:
    return OperatorSum(list(zip(weights, operators, strict=True)))


@pytest.mark.parametrize("order", [[0, 1, 2, 4], [3, 2, 1, 0], [2, 1, 0, 1], [2, 3, 4, 0]])
def test_a_sum_is_the_sum_and_leaves_its_parts(order):
    operators, weights = [some_operators()[number] for number in order], [1, -0.5, 2, 0.25]
    expected = sum(w * full(o) for o, w in zip(operators, weights, strict=True))
    assert full(added(operators, weights)) == pytest.approx(expected, abs=1e-4)
    for number, operator in zip(order, operators, strict=True):
        assert full(operator) == pytest.approx(full(some_operators()[number]))


@pytest.mark.parametrize("numbers", [[0, 1, 2, 4], [2, 3, 4, 0]])
def test_all_ways_to_apply_a_sum_agree(numbers):
    total = added([some_operators()[number] for number in numbers], [1, -0.5, 2, 0.25])
    matrix, part = full(total), slice(3, 7)
    vectors = np.random.default_rng(2).normal(size=(30, 5)).astype(np.float32)
    assert total.rows_times(vectors)(part) == pytest.approx((matrix @ vectors)[part], abs=1e-4)
    if total.is_sparse:
        low_rank = total.rows_times(vectors, with_graphs=False)(part)
        assert low_rank + total.graph_rows(part) @ vectors == pytest.approx(
            (matrix @ vectors)[part], abs=1e-4
        )


def test_a_sum_with_a_dense_graph_is_not_sparse():
    operators = some_operators()
    assert not added(operators[:2], [1, 1]).is_sparse
    assert added(operators[2:], [1, 1, 1]).is_sparse


def test_singular_vectors_are_those_of_the_dense_decomposition():
    random = np.random.default_rng(3)
    values = 0.8 ** np.arange(60)
    left, right = (np.linalg.qr(random.normal(size=(n, 60)))[0] for n in (200, 90))
    matrix = ((left * values) @ right.T).astype(np.float32)
    found = right_singular_vectors(lambda v: matrix @ v, lambda v: matrix.T @ v, 90, 10)
    assert np.abs(np.sum(found * right[:, :10], axis=0)) == pytest.approx(np.ones(10), abs=1e-3)


def test_of_large_matrices_they_are_found_without_copies(monkeypatch):
    random = np.random.default_rng(5)
    matrix = (random.normal(size=(300, 120)) * 0.95 ** np.arange(120)).astype(np.float32)
    expected, found = [], []
    for large, vectors in ((10**9, expected), (0, found)):
        monkeypatch.setattr("recsys_pg.collaborative.orthonormal.LARGE", large)
        vectors.append(right_singular_vectors(lambda v: matrix @ v, lambda v: matrix.T @ v, 120, 20))
    assert found[0].T @ found[0] == pytest.approx(np.eye(20), abs=1e-5)
    assert np.linalg.norm(matrix @ found[0]) == pytest.approx(np.linalg.norm(matrix @ expected[0]), rel=1e-5)
    assert np.abs(np.sum(found[0] * expected[0], axis=0)) == pytest.approx(np.ones(20), abs=1e-2)


@pytest.mark.parametrize(("rows", "columns"), [(5, 40), (40, 5), (3, 3)])
def test_singular_vectors_of_small_matrices(rows, columns):
    matrix = np.random.default_rng(4).normal(size=(rows, columns)).astype(np.float32)
    kept = min(rows, columns)
    found = right_singular_vectors(lambda v: matrix @ v, lambda v: matrix.T @ v, columns, kept)
    assert matrix @ found @ found.T == pytest.approx(matrix, abs=1e-4)


def test_cooccurrence_is_its_formula():
    x = likes()
    users, items = x.sum(axis=1), x.sum(axis=0)
    normalized = x.toarray() / np.sqrt(np.maximum(users, 1e-6))[:, None] / np.maximum(items, 1e-6) ** 0.3
    expected = normalized.T @ normalized
    np.fill_diagonal(expected, 0)
    assert full(cooccurrence(x, neighbors=30, exponent=0.3)) == pytest.approx(expected, abs=1e-4)


def test_lowpass_projects_on_the_leading_singular_vectors():
    x = likes()
    items = x.sum(axis=0)
    normalized = x.toarray() / np.sqrt(np.maximum(x.sum(axis=1), 1e-6))[:, None] / items**0.4
    _, _, right = np.linalg.svd(normalized)
    expected = (items**-0.4)[:, None] * (right[:5].T @ right[:5]) * items**0.4
    assert full(lowpass(x, dimensions=5)) == pytest.approx(expected, abs=5e-2)
    whole = full(lowpass(x, dimensions=384))
    assert whole == pytest.approx(np.eye(30), abs=1e-3)


@pytest.mark.parametrize("learn", [lowpass, ials, lambda x: cooccurrence(x, neighbors=5)])
def test_items_and_users_without_likes_do_no_harm(learn):
    x = likes(density=0.02)
    assert (np.diff(x.indptr) == 0).any()
    assert (np.bincount(x.indices, minlength=30) == 0).any()
    assert np.isfinite(full(learn(x))).all()


def test_ials_solves_for_each_user_what_it_says():
    x = likes(users=300)
    operator = ials(x, dimensions=8, reg=0.01, unobserved=0.2, epochs=30)
    vectors = operator.right
    for row in range(5):
        observed = x[[row]].toarray()[0]
        system = (vectors * observed[:, None]).T @ vectors + 0.2 * vectors.T @ vectors
        system += 0.01 * (observed.sum() + 0.2 * 30) * np.eye(8)
        exact = vectors @ np.linalg.solve(system, observed @ vectors)
        linear = operator.scores(x[[row]])[0] / np.sqrt(observed.sum())
        assert np.corrcoef(exact, linear)[0, 1] > 0.95


def test_ials_is_the_same_for_a_seed_and_tells_how_far_it_is():
    seen = []
    first = ials(likes(), dimensions=4, epochs=2, seed=1, progress=lambda *step: seen.append(step))
    assert full(first).tolist() == full(ials(likes(), dimensions=4, epochs=2, seed=1)).tolist()
    assert seen == [("learn factors", 0, 2), ("learn factors", 1, 2)]


def walks(users: int = 40, length: int = 12, items: int = 9, seed: int = 0) -> Sequences:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, length, users)
    return Sequences(
        random.integers(0, items, lengths.sum()).astype(np.int32),
        np.repeat(np.arange(users), lengths).astype(np.int32),
    )


def test_pairs_are_all_those_of_one_sequence_that_are_so_far_apart():
    sequences = Sequences(np.array([4, 5, 6, 7, 8], np.int32), np.array([0, 0, 0, 1, 1], np.int32))
    assert [part.tolist() for part in sequences.pairs(1)] == [[0, 1, 3], [1, 2, 4]]
    assert [part.tolist() for part in sequences.pairs(2)] == [[0], [2]]
    assert [part.tolist() for part in sequences.pairs(9)] == [[], []]
    assert sequences.steps_left.tolist() == [2, 1, 0, 1, 0]


def test_the_next_item_ridge_is_the_regression_on_all_steps():
    sequences, n, decay = walks(), 9, 0.4
    sources, targets = [], []
    for user in np.unique(sequences.users):
        items = sequences.items[sequences.users == user]
        for step in range(1, len(items)):
            source = np.zeros(n)
            for age, item in enumerate(reversed(items[:step])):
                source[item] += decay**age
            sources.append(source)
            targets.append(np.eye(n)[items[step]])
    past, following = np.array(sources), np.array(targets)
    gram = past.T @ past
    diagonal = np.diag(gram)
    reg = 0.1 * (diagonal**2).sum() / diagonal.sum()
    expected = np.linalg.solve(gram + reg * np.eye(n), past.T @ following)
    np.fill_diagonal(expected, 0)
    # pairs that count less than .01 are left out
    assert full(next_item_ridge(sequences, n, decay=decay, reg=0.1)) == pytest.approx(expected, abs=5e-3)


def test_transitions_count_what_followed():
    sequences = Sequences(np.array([0, 1, 2, 0, 1], np.int32), np.array([0, 0, 0, 1, 1], np.int32))
    found = full(transitions(sequences, 3, neighbors=3, decay=0.5, exponent=1))
    assert found[0, 1] == pytest.approx(2 / np.sqrt(3) / 2)
    assert found[0, 2] == pytest.approx(0.5 / np.sqrt(3) / 1)
    assert found[1, 2] == pytest.approx(1 / np.sqrt(3) / 1)
    assert found[1, 0] == found[2, 0] == found[2, 1] == 0


def test_transitions_of_sequences_of_one_are_nothing():
    sequences = Sequences(np.array([0, 1], np.int32), np.array([0, 1], np.int32))
    assert full(transitions(sequences, 2, neighbors=3)).tolist() == [[0, 0], [0, 0]]


def test_content_is_the_product_of_centered_embeddings_where_there_are_any():
    embeddings = np.array([[1, 0], [0, 1], [np.nan, np.nan]], dtype=np.float32)
    assert full(content(embeddings)) == pytest.approx(np.array([[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]]))
    assert not full(content(np.full((2, 2), np.nan, np.float32))).any()
