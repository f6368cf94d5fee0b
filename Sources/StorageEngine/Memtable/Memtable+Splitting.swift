internal import Synchronization

// How new keys get their slots. All of it is the writer's.
extension Memtable {
    /// Makes the root.
    func insertFirst(_ slot: MemtableSlot) {
        let leaf = MemtableNode(in: nodes, level: 0)
        leaf.setSlot(0, slot)
        leaf.setCount(1)
        root.store(leaf.reference, ordering: .releasing)
        countKey()
    }

    /// Gives a new key a slot of its leaf, splitting the leaf if it is full.
    func insert(
        _ slot: MemtableSlot,
        at index: Int,
        of leaf: MemtableNode
    ) {
        let count = leaf.count
        if count < MemtableNode.fanOut {
            leaf.change { place(slot, at: index, of: leaf, count: count) }
            leaf.newestIndex = index
        } else {
            split(leaf, for: slot, at: index)
        }
        countKey()
    }

    private func place(
        _ slot: MemtableSlot,
        at index: Int,
        of leaf: MemtableNode,
        count: Int
    ) {
        leaf.openSlot(index, before: count)
        leaf.setSlot(index, slot)
        leaf.setCount(count + 1)
    }

    /// Splits a full leaf and places a new key in one of the halves.
    ///
    /// Keys that arrive in order, up or down, split the leaf where they are and so leave full
    /// leaves behind; others halve it.
    private func split(_ leaf: MemtableNode, for slot: MemtableSlot, at index: Int) {
        let fanOut = MemtableNode.fanOut
        let middle: Int
        let staysLeft: Bool
        switch leaf.newestIndex {
        case index - 1:
            middle = index
            staysLeft = middle < fanOut
        case index:
            middle = index
            staysLeft = middle == 0
        default:
            middle = fanOut / 2
            staysLeft = index <= middle
        }

        let right = MemtableNode(in: nodes, level: 0)
        for index in middle..<fanOut { right.setSlot(index - middle, leaf.slot(index)) }
        right.setNext(leaf.next)
        if staysLeft {
            right.setCount(fanOut - middle)
        } else {
            place(slot, at: index - middle, of: right, count: fanOut - middle)
            right.newestIndex = index - middle
        }

        changeStructure {
            leaf.change {
                leaf.setCount(middle)
                leaf.setNext(right.reference)
                if staysLeft { place(slot, at: index, of: leaf, count: middle) }
            }
            leaf.newestIndex = staysLeft ? index : nil
            addChild(right, from: right.slot(0))
        }
    }

    /// Adds a node's right neighbour to the inner nodes above; `separator` is the least key that
    /// it may have.
    private func addChild(_ added: MemtableNode, from separator: MemtableSlot) {
        var added = added
        var separator = separator
        while true {
            let level = added.level + 1
            guard let parent = node(at: level, of: separator) else {
                return addRoot(level, added, separator)
            }
            guard let split = insert(added, separator, into: parent) else { return }
            (added, separator) = (split.right, split.separator)
        }
    }

    /// The node of a level to which a key belongs; nil if the tree is not so high.
    private func node(at level: UInt64, of separator: MemtableSlot) -> MemtableNode? {
        guard var node = MemtableNode(reference: root.load(ordering: .relaxed)) else { return nil }
        guard node.level >= level else { return nil }
        while node.level > level { node = node.child(childIndex(in: node, of: separator)) }
        return node
    }

    private func childIndex(in node: MemtableNode, of separator: MemtableSlot) -> Int {
        guard let entry = MemtableEntry(reference: separator.reference) else {
            preconditionFailure("a separator without an entry")
        }
        return entry.withBytes { key, _ in node.childIndex(SoughtKey(key), key) }
    }

    private func addRoot(_ level: UInt64, _ right: MemtableNode, _ separator: MemtableSlot) {
        let node = MemtableNode(in: nodes, level: level)
        node.setChild(0, root.load(ordering: .relaxed))
        node.setChild(1, right.reference)
        node.setSlot(0, separator)
        node.setCount(2)
        root.store(node.reference, ordering: .releasing)
    }

    /// Adds a child to an inner node.
    ///
    /// - Returns: if the node was full, its new right neighbour and the least key of that.
    private func insert(
        _ added: MemtableNode,
        _ separator: MemtableSlot,
        into parent: MemtableNode
    ) -> (right: MemtableNode, separator: MemtableSlot)? {
        let fanOut = MemtableNode.fanOut
        let index = childIndex(in: parent, of: separator)
        let count = parent.count
        if count < fanOut {
            place(added, separator, behind: index, of: parent, count: count)
            return nil
        }
        let right = MemtableNode(in: nodes, level: parent.level)
        if index == fanOut - 1 {
            // Most likely keys in order: the full node stays full.
            right.setChild(0, added.reference)
            right.setCount(1)
            return (right, separator)
        }
        let middle = fanOut / 2
        for index in middle..<fanOut {
            right.setChild(index - middle, parent.child(index).reference)
            if index < fanOut - 1 { right.setSlot(index - middle, parent.slot(index)) }
        }
        right.setCount(fanOut - middle)
        let least = parent.slot(middle - 1)
        parent.setCount(middle)
        if index < middle {
            place(added, separator, behind: index, of: parent, count: middle)
        } else {
            place(added, separator, behind: index - middle, of: right, count: fanOut - middle)
        }
        return (right, least)
    }

    private func place(
        _ child: MemtableNode,
        _ separator: MemtableSlot,
        behind index: Int,
        of parent: MemtableNode,
        count: Int
    ) {
        parent.openSlot(index, before: count - 1)
        parent.setSlot(index, separator)
        var position = count
        while position > index + 1 {
            parent.setChild(position, parent.child(position - 1).reference)
            position -= 1
        }
        parent.setChild(index + 1, child.reference)
        parent.setCount(count + 1)
    }

    /// Keeps `structure` odd while the leaf and the inner nodes above it do not agree.
    private func changeStructure(_ body: () -> Void) {
        let version = structure.load(ordering: .relaxed)
        structure.store(version + 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        body()
        structure.store(version + 2, ordering: .releasing)
    }
}
