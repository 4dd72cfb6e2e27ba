"""Clusters: groups of vectors that are nearer to each other than vectors of a field are; nothing else is known here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import linkage

from crawler.threads import one_thread

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

FEWEST = 5  # members of a cluster
MOST = 150
LIKENESS = 0.45  # the mean cosine between two parts from which they are one cluster
BREADTH = 1.5  # 1 would always take the tightest parts, 2 always the widest whole
DECIMALS = 6  # beyond them a cosine hangs on how a machine sums


@dataclass(frozen=True, slots=True)
class Tree:
    """A binary tree over n vectors, its leaves: node n + k joins the two nodes of row k, shape (n - 1, 2).

    Of shape (2 n - 1,) are `sizes`, the leaves under each node; `likeness`, the mean cosine of two of them; and
    `joint`, the mean cosine between those of its two parts.
    """

    joins: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]
    likeness: Numbers
    joint: Numbers


def find_clusters(
    vectors: Vectors, *, fewest: int = FEWEST, most: int = MOST, likeness: float = LIKENESS
) -> list[list[int]]:
    """Return disjoint groups of vectors, as places in rising order; what is like nothing else is in none.

    Average linkage on cosines gives a tree. Of its nodes whose parts are like each other those are taken, none under
    another, that have the highest sum of gains: the number of members, to the power of `BREADTH`, times what the mean
    cosine of two of them has beyond `likeness`. With a power of 2 a gain would be that of a constant Potts model
    (Traag, Van Dooren and Nesterov 2011); the choice by a sum over the tree is that of Campello, Moulavi, Zimek and
    Sander (2015). The same vectors in the same order give the same groups. Takes 24 bytes for each pair of vectors.

    Args:
        vectors: of length one, shape (n, d).
        fewest: members of a group, at least.
        most: members of a group, at most.
        likeness: the mean cosine between the parts of a group, at least.
    """
    if len(vectors) < max(fewest, 2):
        return []
    tree = _grow(vectors)
    fits = (tree.sizes >= fewest) & (tree.sizes <= most) & (tree.joint >= likeness)
    gains = np.where(fits, tree.sizes**BREADTH * (tree.likeness - likeness), 0.0)
    return [_list_leaves(tree, node) for node in _choose(tree, gains)]


def _grow(vectors: Vectors) -> Tree:
    count = len(vectors)
    joins = linkage(_distances(vectors), "average")
    sizes, likeness = np.ones(2 * count - 1, dtype=np.intp), np.ones(2 * count - 1)
    tree = Tree(joins[:, :2].astype(np.intp), sizes, likeness, np.concatenate([np.ones(count), 1 - joins[:, 2]]))
    sums = np.zeros((2 * count - 1, vectors.shape[1]), dtype=np.float32)
    sums[:count] = vectors
    for node, (one, other) in enumerate(tree.joins, count):
        sums[node] = sums[one] + sums[other]
        size = sizes[node] = sizes[one] + sizes[other]
        likeness[node] = (float(sums[node] @ sums[node]) - size) / (size * (size - 1))
    return tree


def _distances(vectors: Vectors) -> Numbers:
    """Return one less the cosine of each pair, as SciPy orders pairs, shape (n (n - 1) / 2,)."""
    count = len(vectors)
    distances = np.empty(count * (count - 1) // 2)
    end = 0
    with one_thread():  # so many threads, so many ways to round: the order would hang on them
        for row in range(count - 1):
            start, end = end, end + count - 1 - row
            distances[start:end] = 1 - vectors[row + 1 :] @ vectors[row]
    return np.clip(np.round(distances, DECIMALS), 0, 2)


def _choose(tree: Tree, gains: Numbers) -> list[int]:
    """Return the nodes, none under another, with the highest sum of gains; a node goes before what is under it."""
    best = gains.copy()
    count = len(tree.joins) + 1
    for node, (one, other) in enumerate(tree.joins, count):
        best[node] = max(gains[node], best[one] + best[other])
    chosen, open_nodes = [], [2 * count - 2]
    while open_nodes:
        node = open_nodes.pop()
        if gains[node] > 0 and gains[node] >= best[node]:
            chosen.append(node)
        elif node >= count and best[node] > 0:
            open_nodes += tree.joins[node - count].tolist()
    return chosen


def _list_leaves(tree: Tree, node: int) -> list[int]:
    count, found, open_nodes = len(tree.joins) + 1, list[int](), [node]
    while open_nodes:
        one = open_nodes.pop()
        if one < count:
            found.append(one)
        else:
            open_nodes += tree.joins[one - count].tolist()
    return sorted(found)
