internal import ByteCoding

/// The newest entries of a tree, in order: a B+tree of prefixes and references over an arena.
///
/// Nodes are slices of a few flat arrays, 64 slots each, so that an insertion allocates nothing
/// but the arrays' growth. Nothing is ever removed; a new value of a key is a new entry to which
/// the slot then points. Measured against a skip list and a radix directory; the B+tree is the one
/// that is fast and does not mind skewed prefixes.
struct Memtable: Sendable {
    static let fanOut = 64

    private(set) var arena = Arena()
    private(set) var count = 0
    private(set) var newestStamp: UInt64 = 0
    /// The oldest log segment with a record that is here and in no table.
    private(set) var oldestSegment: UInt64 = .max

    private var leafCounts: [Int] = [0]
    private var leafNext: [Int] = [-1]
    private var leafPrefixes = [UInt64](repeating: 0, count: fanOut)
    private var leafReferences = [UInt32](repeating: 0, count: fanOut)

    // An inner node of n children has n − 1 separators: slot i is the least key of child i + 1.
    private var innerCounts: [Int] = []
    private var innerPrefixes: [UInt64] = []
    private var innerReferences: [UInt32] = []
    private var innerChildren: [Int] = []
    private var root = 0
    /// Levels of inner nodes above the leaves.
    private var height = 0

    var isEmpty: Bool { count == 0 }

    /// Bytes of the arena's chunks and of the nodes.
    var sizeInBytes: Int {
        isEmpty ? 0 : arena.sizeInBytes + leafCounts.count * 784 + innerCounts.count * 1288
    }

    /// A slot of a leaf.
    struct Slot {
        var leaf: Int
        var index: Int
    }

    mutating func noteSegment(_ segment: UInt64) {
        oldestSegment = min(oldestSegment, segment)
    }

    /// Whether the key stored in a slot comes before the one sought.
    private func isBefore(
        _ slotPrefix: UInt64,
        _ reference: UInt32,
        _ prefix: UInt64,
        _ key: ByteRange,
        _ source: RawSpan
    ) -> Bool {
        if slotPrefix != prefix { return slotPrefix < prefix }
        return arena.compareKey(of: reference, with: key, of: source) < 0
    }

    /// The first slot of a node's range whose key is not before the one sought.
    private func lowerBound(
        leaf: Int,
        _ prefix: UInt64,
        _ key: ByteRange,
        _ source: RawSpan
    ) -> Int {
        let base = leaf * Self.fanOut
        var low = 0
        var high = leafCounts[leaf]
        while low < high {
            let middle = (low + high) / 2
            if isBefore(
                leafPrefixes[base + middle],
                leafReferences[base + middle],
                prefix,
                key,
                source
            ) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// The child of an inner node in which the key belongs.
    private func childIndex(
        inner: Int,
        _ prefix: UInt64,
        _ key: ByteRange,
        _ source: RawSpan
    ) -> Int {
        let base = inner * Self.fanOut
        var low = 0
        var high = innerCounts[inner] - 1
        while low < high {
            let middle = (low + high) / 2
            let slotPrefix = innerPrefixes[base + middle]
            let isAtOrBefore: Bool
            if slotPrefix != prefix {
                isAtOrBefore = slotPrefix < prefix
            } else {
                let reference = innerReferences[base + middle]
                isAtOrBefore = arena.compareKey(of: reference, with: key, of: source) <= 0
            }
            if isAtOrBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The leaf in which the key belongs.
    private func leaf(_ prefix: UInt64, _ key: ByteRange, _ source: RawSpan) -> Int {
        var node = root
        for _ in 0..<height {
            node =
                innerChildren[
                    node * Self.fanOut + childIndex(inner: node, prefix, key, source)
                ]
        }
        return node
    }

    /// The reference of a key's entry.
    func find(_ prefix: UInt64, _ key: ByteRange, of source: RawSpan) -> UInt32? {
        let leaf = leaf(prefix, key, source)
        let index = lowerBound(leaf: leaf, prefix, key, source)
        let slot = leaf * Self.fanOut + index
        guard
            index < leafCounts[leaf],
            leafPrefixes[slot] == prefix,
            arena.compareKey(of: leafReferences[slot], with: key, of: source) == 0
        else { return nil }
        return leafReferences[slot]
    }

    /// The first slot whose key is not before the one sought.
    func lowerBound(_ prefix: UInt64, _ key: ByteRange, of source: RawSpan) -> Slot {
        let leaf = leaf(prefix, key, source)
        return Slot(leaf: leaf, index: lowerBound(leaf: leaf, prefix, key, source))
    }

    /// The first slot.
    var first: Slot {
        var node = root
        for _ in 0..<height { node = innerChildren[node * Self.fanOut] }
        return Slot(leaf: node, index: 0)
    }

    /// The prefix and entry of a slot, moving on over the ends of leaves; nil behind the last.
    func entry(at slot: inout Slot) -> (prefix: UInt64, entry: Arena.Entry)? {
        while slot.index >= leafCounts[slot.leaf] {
            guard leafNext[slot.leaf] >= 0 else { return nil }
            slot = Slot(leaf: leafNext[slot.leaf], index: 0)
        }
        let at = slot.leaf * Self.fanOut + slot.index
        return (leafPrefixes[at], arena.entry(leafReferences[at]))
    }

    /// Sets the value of a key, whatever was there.
    mutating func set(
        _ prefix: UInt64,
        _ key: ByteRange,
        of keySource: RawSpan,
        value: ByteRange,
        of valueSource: RawSpan,
        stamp: UInt64
    ) {
        let reference = arena.add(
            stamp: stamp,
            key: key,
            of: keySource,
            value: value,
            of: valueSource
        )
        newestStamp = max(newestStamp, stamp)
        if let split = insert(root, height, prefix, key, keySource, reference) {
            let inner = newInner()
            innerCounts[inner] = 2
            innerChildren[inner * Self.fanOut] = root
            innerChildren[inner * Self.fanOut + 1] = split.node
            innerPrefixes[inner * Self.fanOut] = split.prefix
            innerReferences[inner * Self.fanOut] = split.reference
            root = inner
            height += 1
        }
    }

    /// A node's new right neighbour and the least key in it.
    private struct Split {
        let node: Int
        let prefix: UInt64
        let reference: UInt32
    }

    private mutating func insert(
        _ node: Int,
        _ level: Int,
        _ prefix: UInt64,
        _ key: ByteRange,
        _ source: RawSpan,
        _ reference: UInt32
    ) -> Split? {
        guard level > 0 else { return insert(leaf: node, prefix, key, source, reference) }
        let index = childIndex(inner: node, prefix, key, source)
        let child = innerChildren[node * Self.fanOut + index]
        guard let split = insert(child, level - 1, prefix, key, source, reference) else {
            return nil
        }
        return insert(split, behind: index, inner: node)
    }

    private mutating func insert(
        leaf: Int,
        _ prefix: UInt64,
        _ key: ByteRange,
        _ source: RawSpan,
        _ reference: UInt32
    ) -> Split? {
        let index = lowerBound(leaf: leaf, prefix, key, source)
        let base = leaf * Self.fanOut
        if index < leafCounts[leaf], leafPrefixes[base + index] == prefix,
            arena.compareKey(of: leafReferences[base + index], with: key, of: source) == 0
        {
            leafReferences[base + index] = reference
            return nil
        }
        count += 1
        guard leafCounts[leaf] == Self.fanOut else {
            place(leaf, index, prefix, reference)
            return nil
        }
        let right = leafCounts.count
        // Keys that arrive in order fill the leaves; others halve them.
        let middle =
            index == Self.fanOut && leafNext[leaf] < 0 ? Self.fanOut - 1 : Self.fanOut / 2
        leafCounts.append(Self.fanOut - middle)
        leafNext.append(leafNext[leaf])
        leafNext[leaf] = right
        leafCounts[leaf] = middle
        leafPrefixes.append(contentsOf: repeatElement(0, count: Self.fanOut))
        leafReferences.append(contentsOf: repeatElement(0, count: Self.fanOut))
        for offset in 0..<(Self.fanOut - middle) {
            leafPrefixes[right * Self.fanOut + offset] = leafPrefixes[base + middle + offset]
            leafReferences[right * Self.fanOut + offset] = leafReferences[base + middle + offset]
        }
        if index <= middle {
            place(leaf, index, prefix, reference)
        } else {
            place(right, index - middle, prefix, reference)
        }
        return Split(
            node: right,
            prefix: leafPrefixes[right * Self.fanOut],
            reference: leafReferences[right * Self.fanOut]
        )
    }

    private mutating func place(
        _ leaf: Int,
        _ index: Int,
        _ prefix: UInt64,
        _ reference: UInt32
    ) {
        let base = leaf * Self.fanOut
        var slot = base + leafCounts[leaf]
        while slot > base + index {
            leafPrefixes[slot] = leafPrefixes[slot - 1]
            leafReferences[slot] = leafReferences[slot - 1]
            slot -= 1
        }
        leafPrefixes[slot] = prefix
        leafReferences[slot] = reference
        leafCounts[leaf] += 1
    }

    private mutating func insert(_ split: Split, behind index: Int, inner: Int) -> Split? {
        guard innerCounts[inner] == Self.fanOut else {
            place(split, behind: index, inner: inner)
            return nil
        }
        let right = newInner()
        let middle = Self.fanOut / 2
        let base = inner * Self.fanOut
        let target = right * Self.fanOut
        for offset in 0..<(Self.fanOut - middle) {
            innerChildren[target + offset] = innerChildren[base + middle + offset]
            if offset + middle < Self.fanOut - 1 {
                innerPrefixes[target + offset] = innerPrefixes[base + middle + offset]
                innerReferences[target + offset] = innerReferences[base + middle + offset]
            }
        }
        innerCounts[right] = Self.fanOut - middle
        innerCounts[inner] = middle
        let result = Split(
            node: right,
            prefix: innerPrefixes[base + middle - 1],
            reference: innerReferences[base + middle - 1]
        )
        if index < middle {
            place(split, behind: index, inner: inner)
        } else {
            place(split, behind: index - middle, inner: right)
        }
        return result
    }

    private mutating func place(_ split: Split, behind index: Int, inner: Int) {
        let base = inner * Self.fanOut
        var slot = innerCounts[inner]
        while slot > index + 1 {
            innerChildren[base + slot] = innerChildren[base + slot - 1]
            innerPrefixes[base + slot - 1] = innerPrefixes[base + slot - 2]
            innerReferences[base + slot - 1] = innerReferences[base + slot - 2]
            slot -= 1
        }
        innerChildren[base + index + 1] = split.node
        innerPrefixes[base + index] = split.prefix
        innerReferences[base + index] = split.reference
        innerCounts[inner] += 1
    }

    private mutating func newInner() -> Int {
        innerCounts.append(0)
        innerPrefixes.append(contentsOf: repeatElement(0, count: Self.fanOut))
        innerReferences.append(contentsOf: repeatElement(0, count: Self.fanOut))
        innerChildren.append(contentsOf: repeatElement(0, count: Self.fanOut))
        return innerCounts.count - 1
    }
}

/// A memtable that takes no more entries and waits for its flush.
final class FrozenMemtable: Sendable {
    let table: Memtable

    init(_ table: consuming Memtable) {
        self.table = table
    }
}
