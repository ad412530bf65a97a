"""Checks histories of one register each: is there one order in which every answer is right?

For registers whose values are written once, Gibbons and Korach ("Testing shared memories", 1997)
give an exact answer in n log n: take each value with all operations that wrote or read it, and the
zone between the earliest end and the latest start among them. If the end comes first the zone is
forward: the register must have held the value all through it. No two forward zones may overlap, and
no backward zone may lie inside a forward one.
"""

import dataclasses
import math

INITIAL = None


@dataclasses.dataclass
class Operation:
    kind: str  # "write" or "read"
    value: object
    start: float
    end: float  # infinity: never answered, it may or may not have happened


def violation(history):
    """None when the history is linearizable, else a sentence that says why not."""
    writes = {}
    for operation in history:
        if operation.kind == "write":
            assert operation.value not in writes, "values are written once"
            writes[operation.value] = operation
    reads = [operation for operation in history
             if operation.kind == "read" and operation.end < math.inf]
    seen = {operation.value for operation in reads}
    clusters = {INITIAL: [Operation("write", INITIAL, -math.inf, -math.inf)]}
    for value, write in writes.items():
        if write.end < math.inf or value in seen:
            clusters[value] = [write]
    for read in reads:
        if read.value not in clusters:
            return f"read {read.value!r}, which nobody wrote"
        if read.value in writes and read.end < writes[read.value].start:
            return f"read {read.value!r} before it was written"
        clusters[read.value].append(read)
    return _zone_conflict(clusters)


def _zone_conflict(clusters):
    forward, backward = [], []
    for value, operations in clusters.items():
        end = min(operation.end for operation in operations)
        start = max(operation.start for operation in operations)
        (forward if end < start else backward).append((min(end, start), max(end, start), value))
    forward.sort(key=lambda zone: zone[:2])
    for (_, end, value), (start, _, other) in zip(forward, forward[1:]):
        if start < end:
            return f"both {value!r} and {other!r} were current at {start}"
    return _inside(forward, backward)


def _inside(forward, backward):
    """Forward zones do not overlap here, so that at most one can hold a given point."""
    import bisect
    starts = [zone[0] for zone in forward]
    for start, end, value in backward:
        at = bisect.bisect_left(starts, start) - 1
        if at >= 0 and start > forward[at][0] and end < forward[at][1]:
            return f"{value!r} came and went while {forward[at][2]!r} was current"
    return None
