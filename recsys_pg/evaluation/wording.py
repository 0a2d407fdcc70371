"""What the numbers of an evaluation mean, in sentences; for the terminal and for the report."""

from recsys_pg.collaborative.bootstrap import Estimate
from recsys_pg.evaluation.results import Evaluation
from recsys_pg.types import Method

METRICS = {
    "NDCG@k": "How good the first k places are: what people went on to like counts more the higher it stands;"
    " 1 is a perfect list.",
    "Recall@k": "The share of what somebody went on to like that is among the first k.",
    "MAP@k": "The mean precision at the places of the hits: 1 if all of them stand in front.",
    "MRR@k": "One over the place of the first hit: 0.5 means that it typically stands second.",
    "Hit rate@k": "The share of people who find anything they went on to like among the first k.",
    "Coverage": "The share of the catalogue that is shown to anybody asked; it grows with their number.",
    "Gini": "How unequally items are shown: 0 if all equally often, near 1 if a few take all places.",
    "Novelty": "How little known the shown items are, in bits: one more means known by half as many people.",
    "Diversity": "How different the items of a list are in content: 0 if all alike, 1 if nothing is common.",
    "Cold items": "The share of the shown items that nobody had interacted with yet.",
    "ms": "Milliseconds of one call of recommend_for_user, over one connection.",
    "Interval": "Where the mean would lie with other people of the same kind, 95 times of 100 (bootstrap over"
    " users; differences are paired).",
}
"""One sentence for each metric."""


def summary(found: Evaluation) -> str:
    """What was found, for somebody who reads one sentence."""
    recall = {row.method: row.recall_at[-1] for row in found.methods}
    sentence = (
        f"Of what {found.sizes.asked_users:,} people went on to like, {found.reference} has"
        f" {recall.pop(found.reference):.1%} among the first {max(found.options.ks)} of"
        f" {found.sizes.items:,} items"
    )
    named = {method: "what is popular" if method == "popular" else method for method in recall}
    best = max(recall, key=lambda method: recall[method], default=None)
    parts = [sentence]
    if best:
        name = f"the best of the others, {named[best]}," if len(recall) > 1 else named[best]
        parts.append(f"{name} has {recall[best]:.1%}")
    if "popular" in recall and best != "popular":
        parts.append(f"{named['popular']} has {recall['popular']:.1%}")
    ahead = [row.method for row in found.methods if row.difference and row.difference.sign < 0]
    behind = f" By NDCG@{found.options.ks[0]} it is behind {', '.join(ahead)}: see docs/evaluation.md."
    return f"{'; '.join(parts)}.{behind if ahead else ''}"


def setting(found: Evaluation) -> str:
    """How it was evaluated."""
    sizes, options = found.sizes, found.options
    how = (
        f"All that happened from {found.split_at:%Y-%m-%d %H:%M %Z} on was held out"
        if found.split_at
        else f"Of each user the last {options.test_share:.0%} of the positive interactions were held out"
    )
    of = f"{sizes.asked_users:,} of {sizes.test_users:,} users were drawn"
    if sizes.asked_users == sizes.test_users:
        of = f"all {sizes.asked_users:,} users with something to be found were asked"
    if options.split == "live":
        of = (
            f"what was held out was recorded in its order, and {sizes.asked_users:,} of {sizes.test_users:,}"
            " users were asked, each once, just before something they liked, which was drawn"
        )
    repeats = "counted" if options.repeats else "left out"
    return (
        f"{how}; {sizes.interactions:,} interactions of {sizes.active_users:,} users remained to learn from."
        f" Then {of}, with {sizes.targets:,} items to be found among {sizes.items:,}; every item was"
        f" ranked. What users had consumed before was {repeats}."
    )


def method_meaning(method: Method, found: Evaluation) -> str:
    """What a method is, in a few words."""
    training = found.training
    terms = " + ".join(f"{term.weight:.2g} {term.operator}" for term in training.terms)
    return {
        "hybrid": f"all that was learned together: {terms}" if terms else "item graph and content together",
        "item_based": f"the item graph alone ({training.algorithm or 'none was learned'})",
        "user_based": "what the users of the nearest taste liked",
        "content": "items whose texts are like those of the user's past ones",
        "popular": "the same for everybody: what is popular",
    }[method]


def verdict(difference: Estimate) -> str:
    """What an interval of a difference says of the one that comes first."""
    return {1: "better", -1: "worse", 0: "no difference shown"}[difference.sign]
