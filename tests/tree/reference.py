"""Density trees written for reading: slow, recursive, one box and one row at a time.

Nothing here comes from the package, so that both can be compared.
"""

import numpy as np


def gain_of_cut(below, mass, v, exact):
    """Log-likelihood gain of moving the share ``v`` to ``below / mass``."""
    p = below / mass
    if exact:
        return mass * (p * np.log(p / v) + (1 - p) * np.log((1 - p) / (1 - v)))
    return mass * (p - v) ** 2 / (v * (1 - v))


def grow(U, weight, edges, *, max_depth, min_mass, min_gain=0.0, exact=True, step=None):
    """Cut the box of all rows, then both parts, by trying every edge.

    ``step(volume)`` is the share of the way from ``v`` to ``p`` that the cut goes.

    Returns
    -------
    leaves : list of (box, image, rows)
        Boxes are arrays of shape (2, n_features).
    """
    cube = np.repeat([[0.0], [1.0]], U.shape[1], axis=1)
    step = step or (lambda volume: 1.0)

    def cut_up(box, image, rows, depth):
        mass, found = weight[rows].sum(), (min_gain, None)
        for f in range(U.shape[1]) if depth < max_depth else ():
            low, high = box[:, f]
            for edge in edges[f]:
                if not low < edge < high:
                    continue
                is_below = U[rows, f] < edge
                below = weight[rows[is_below]].sum()
                if below < min_mass or mass - below < min_mass:
                    continue
                v = (edge - low) / (high - low)
                gain = gain_of_cut(below, mass, v, exact)
                if gain > found[0]:
                    found = gain, (f, edge, v, below, is_below)
        if found[1] is None:
            return [(box, image, rows)]
        f, edge, v, below, is_below = found[1]
        volume = np.prod(box[1] - box[0])
        q = v + step(volume) * (below / mass - v)
        edge_image = image[0, f] + q * (image[1, f] - image[0, f])
        leaves = []
        for side, kept in ((1, is_below), (0, ~is_below)):
            part, part_image = box.copy(), image.copy()
            part[side, f], part_image[side, f] = edge, edge_image
            leaves += cut_up(part, part_image, rows[kept], depth + 1)
        return leaves

    return cut_up(cube, cube, np.arange(len(U)), 0)


def leaf_boxes(splits, n_features):
    """Boxes of the leaves of a tree of the package, and their images.

    Returns
    -------
    boxes, images : ndarray of shape (n_leaves, 2, n_features)
    """
    cube = np.repeat([[0.0], [1.0]], n_features, axis=1)
    boxes = {0: (cube, cube)}
    for k, split in enumerate(splits):
        box, image = boxes.pop(int(split["node"]))
        f = split["feature"]
        for child, side in ((2 * k + 1, 1), (2 * k + 2, 0)):
            part, part_image = box.copy(), image.copy()
            part[side, f] = split["t_in"]
            part_image[side, f] = split["t_out"]
            boxes[child] = part, part_image
    parts, images = zip(*boxes.values(), strict=True)
    return np.array(parts), np.array(images)


def push_row(u, box, image):
    """Map a row from its box to the image; give it and the log-determinant.

    Coordinates at 0 and 1 exactly stay where they are.
    """
    moved, log_det = u.copy(), 0.0
    for f in range(len(u)):
        if 0.0 < u[f] < 1.0:
            slope = (image[1, f] - image[0, f]) / (box[1, f] - box[0, f])
            moved[f] = image[0, f] + slope * (u[f] - box[0, f])
            log_det += np.log(slope)
    return moved, log_det


def find_box(u, boxes):
    """Number of the only box that holds a row; the upper faces belong to the next."""
    above = (u >= boxes[:, 0]).all(axis=1)
    below = ((u < boxes[:, 1]) | ((u == 1.0) & (boxes[:, 1] == 1.0))).all(axis=1)
    [number] = np.flatnonzero(above & below)
    return number
