extension SizeTieredPolicy {
    /// What is free of a part: all of it, or what lies beside the ranges that are being done.
    private struct Piece {
        var part: TreePicture.Part
        var lower: [UInt8]
        var end: [UInt8]
        var isWhole: Bool

        /// About the bytes of it; the place of a border within a part is not known.
        var bytes: Int { isWhole ? part.bytes : part.bytes / 2 }
    }

    /// Pieces that hang together by overlapping.
    private struct Island {
        var pieces: [Piece]
        var lower: [UInt8]
        var end: [UInt8]
        var bytes: Int { pieces.reduce(0) { $0 + $1.bytes } }
    }

    private typealias Hole = (lower: [UInt8], end: [UInt8])

    /// The first range of some runs that can be merged now, together with all that can be moved.
    ///
    /// A part that overlaps no other is moved, unless it is small. Outputs may cover all that lies
    /// between two inputs, so a range ends where a part is left alone and where another range is
    /// being done.
    func nextRange(
        of orders: [UInt64],
        in picture: TreePicture,
        reason: CompactionChoice.Reason
    ) -> CompactionChoice? {
        guard let order = orders.max() else { return nil }
        let members = Set(orders)
        let parts = picture.parts.filter { members.contains($0.order) }
        var holes: [Hole] = picture.running
            .filter { running in running.orders.contains { members.contains($0) } }
            .map { ($0.lower, $0.upper) }
        holes += parts.filter(\.isBusy).map { ($0.lower, $0.end) }
        let islands = islands(of: pieces(of: parts, beside: holes))
        var moves: [CompactionChoice.Input] = []
        var chosen: [Island]?
        for range in ranges(of: islands, beside: holes, into: order) {
            if range.count == 1, range[0].pieces.count == 1 {
                let piece = range[0].pieces[0]
                if piece.isWhole, piece.part.order != order { moves.append(.init(piece.part)) }
            } else if chosen == nil {
                chosen = range
            }
        }
        guard chosen != nil || !moves.isEmpty else { return nil }
        var choice = CompactionChoice(
            inputs: [],
            lower: [],
            upper: [],
            order: order,
            orders: orders.sorted(),
            moves: moves,
            bytes: 0,
            reason: reason
        )
        if let first = chosen?.first, let last = chosen?.last {
            choice.lower = first.lower
            choice.upper = chosen?.count == 1 ? cut(first) : last.end
            let pieces = (chosen ?? []).flatMap(\.pieces)
                .filter { precedes($0.lower, choice.upper) }
            choice.inputs = pieces.map { .init($0.part) }
            choice.bytes = cost(of: pieces, before: choice.upper)
        }
        return choice
    }

    private func pieces(of parts: [TreePicture.Part], beside holes: [Hole]) -> [Piece] {
        var pieces: [Piece] = []
        for part in parts {
            var rest = [Piece(part: part, lower: part.lower, end: part.end, isWhole: true)]
            for hole in holes {
                rest = rest.flatMap { piece in outside(hole, of: piece) }
            }
            pieces += rest
        }
        return pieces.sorted {
            let order = compareBytes($0.lower.span.bytes, $1.lower.span.bytes)
            return order == 0 ? $0.part.order < $1.part.order : order < 0
        }
    }

    private func outside(_ hole: Hole, of piece: Piece) -> [Piece] {
        guard precedes(piece.lower, hole.end), precedes(hole.lower, piece.end) else {
            return precedes(piece.lower, piece.end) ? [piece] : []
        }
        var left = piece
        left.end = hole.lower
        left.isWhole = false
        var right = piece
        right.lower = hole.end
        right.isWhole = false
        return [left, right].filter { precedes($0.lower, $0.end) }
    }

    private func islands(of pieces: [Piece]) -> [Island] {
        var islands: [Island] = []
        for piece in pieces {
            guard let lastEnd = islands.last?.end, precedes(piece.lower, lastEnd) else {
                islands.append(Island(pieces: [piece], lower: piece.lower, end: piece.end))
                continue
            }
            let end = precedes(lastEnd, piece.end) ? piece.end : lastEnd
            islands[islands.count - 1].pieces.append(piece)
            islands[islands.count - 1].end = end
        }
        return islands
    }

    /// Islands that are neighbours, put together up to `maximumCompactionBytes`.
    ///
    /// A lone piece stays alone if it is large, since it can be moved, and if it is the rest of a
    /// part, since it can be moved once that is settled.
    private func ranges(
        of islands: [Island],
        beside holes: [Hole],
        into order: UInt64
    ) -> [[Island]] {
        var ranges: [[Island]] = []
        var bytes = 0
        for island in islands {
            let size = island.bytes
            if let last = ranges.last?.last, !staysAlone(last), !staysAlone(island),
                bytes + size <= maximumCompactionBytes,
                !holes.contains(where: {
                    precedes($0.lower, island.lower) && precedes(last.end, $0.end)
                })
            {
                ranges[ranges.count - 1].append(island)
                bytes += size
            } else {
                ranges.append([island])
                bytes = size
            }
        }
        return ranges.compactMap { trimmed($0, into: order) }
    }

    private func staysAlone(_ island: Island) -> Bool {
        island.pieces.count == 1
            && (!island.pieces[0].isWhole || island.pieces[0].part.bytes >= minimumSize)
    }

    /// A range without lone pieces at its ends that are already where they belong.
    private func trimmed(_ range: [Island], into order: UInt64) -> [Island]? {
        func isDone(_ island: Island) -> Bool {
            island.pieces.count == 1 && island.pieces[0].part.order == order
        }
        let rest = range.drop(while: isDone)
        guard let last = rest.lastIndex(where: { !isDone($0) }) else { return nil }
        return Array(rest[...last])
    }

    /// Where the first range of an island ends: at the last end of a part up to which there are at
    /// most `maximumCompactionBytes`, or at the first.
    ///
    /// Before the first end of a part lie at least two pieces, or the island would end there; so
    /// each range merges something and finishes a piece.
    private func cut(_ island: Island) -> [UInt8] {
        guard island.bytes > maximumCompactionBytes else { return island.end }
        let ends = island.pieces.map(\.end).sorted(by: precedes)
        var low = 0
        var high = ends.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if cost(of: island.pieces, before: ends[middle]) <= maximumCompactionBytes {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return ends[low]
    }

    /// About the bytes that pieces have before a key; one that reaches beyond it counts half.
    private func cost(of pieces: [Piece], before end: [UInt8]) -> Int {
        pieces.reduce(0) { sum, piece in
            guard precedes(piece.lower, end) else { return sum }
            return sum + (precedes(end, piece.end) ? piece.bytes / 2 : piece.bytes)
        }
    }
}
