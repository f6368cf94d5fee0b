import ByteCoding

/// The join of two sets: all events that either knows, and the values that neither has seen
/// replaced.
extension SiblingSet {
    /// Joins two sets.
    ///
    /// Commutative, associative, idempotent, and never forgets an event. The limit on siblings
    /// does not apply here. Equal dots with different values, which only a fault can make, resolve
    /// alike everywhere: the greater version, then the tombstone, then the greater bytes.
    public static func join(
        _ left: SiblingSet,
        of leftBytes: RawSpan,
        _ right: SiblingSet,
        of rightBytes: RawSpan
    ) -> RecordJoin {
        if leftBytes.isEqual(left.range, to: rightBytes, right.range) { return .keepExisting }
        var walk = Walk(left, right)
        var isLeft = true
        var isRight = true
        while isLeft || isRight, let step = walk.next(leftBytes, rightBytes) {
            isLeft = isLeft && step.left == step.result
            isRight = isRight && step.right == step.result
            guard isLeft || isRight else { break }
            walk.forEachValue(of: step, leftBytes, rightBytes) { source, _ in
                if source == .left { isRight = false }
                if source == .right { isLeft = false }
            }
        }
        if isLeft { return .keepExisting }
        if isRight { return .takeIncoming }
        return .joined(write(left, leftBytes, right, rightBytes))
    }

    private static func write(
        _ left: SiblingSet,
        _ leftBytes: RawSpan,
        _ right: SiblingSet,
        _ rightBytes: RawSpan
    ) -> [UInt8] {
        var header = ByteWriter(capacity: left.range.count + right.range.count)
        var values = ByteWriter(capacity: left.range.count + right.range.count)
        header.uint16(0)
        var count = 0
        var walk = Walk(left, right)
        while let step = walk.next(leftBytes, rightBytes) {
            // 65,535 processes that wrote one key; the ones beyond cannot be named.
            guard count < Int(UInt16.max) else { break }
            count += 1
            header.entry(step.result)
            walk.forEachValue(of: step, leftBytes, rightBytes) { source, encoding in
                if source == .right {
                    values.raw(encoding, of: rightBytes)
                } else {
                    values.raw(encoding, of: leftBytes)
                }
            }
        }
        header.bytes[0] = UInt8(truncatingIfNeeded: count)
        header.bytes[1] = UInt8(truncatingIfNeeded: count >> 8)
        header.raw(values.bytes)
        return header.bytes
    }

    /// Walks the actors of two sets side by side.
    private struct Walk {
        /// One actor: what each side knows of it, and what the join does.
        struct Step {
            var left: Entry?
            var right: Entry?
            var result: Entry
        }

        /// Where a value of the join comes from.
        enum Source {
            case left
            case right
            case both
        }

        private var leftEntries: EntryCursor
        private var rightEntries: EntryCursor
        private var leftValues: Cursor
        private var rightValues: Cursor
        private var left: Entry?
        private var right: Entry?
        private var hasBegun = false

        init(_ left: SiblingSet, _ right: SiblingSet) {
            leftEntries = EntryCursor(left)
            rightEntries = EntryCursor(right)
            leftValues = Cursor(left)
            rightValues = Cursor(right)
        }

        mutating func next(_ leftBytes: RawSpan, _ rightBytes: RawSpan) -> Step? {
            if !hasBegun {
                hasBegun = true
                left = leftEntries.next(in: leftBytes)
                right = rightEntries.next(in: rightBytes)
            }
            switch (left, right) {
            case (nil, nil):
                return nil
            case (let entry?, nil):
                left = leftEntries.next(in: leftBytes)
                return Step(left: entry, right: nil, result: entry)
            case (nil, let entry?):
                right = rightEntries.next(in: rightBytes)
                return Step(left: nil, right: entry, result: entry)
            case (let one?, let other?):
                if one.actor < other.actor {
                    left = leftEntries.next(in: leftBytes)
                    return Step(left: one, right: nil, result: one)
                }
                if other.actor < one.actor {
                    right = rightEntries.next(in: rightBytes)
                    return Step(left: nil, right: other, result: other)
                }
                left = leftEntries.next(in: leftBytes)
                right = rightEntries.next(in: rightBytes)
                // What one side has seen replaced is gone; what is newer than that, and is in the
                // longer history, stays. Both lists reach down to their base without a hole.
                let counter = max(one.counter, other.counter)
                let base = max(one.base, other.base)
                let result = Entry(actor: one.actor, counter: counter, count: Int(counter - base))
                return Step(left: one, right: other, result: result)
            }
        }

        /// Passes the values of the step's actor that stay, newest first.
        ///
        /// To be called once for each step, since the values are read in their order.
        mutating func forEachValue(
            of step: Step,
            _ leftBytes: RawSpan,
            _ rightBytes: RawSpan,
            _ body: (Source, ByteRange) -> Void
        ) {
            var leftCount = step.left?.count ?? 0
            var rightCount = step.right?.count ?? 0
            while leftCount > 0 || rightCount > 0 {
                let leftDot = (step.left?.base ?? 0) + UInt64(leftCount)
                let rightDot = (step.right?.base ?? 0) + UInt64(rightCount)
                let takesLeft = leftCount > 0 && (rightCount == 0 || leftDot >= rightDot)
                let takesRight = rightCount > 0 && (leftCount == 0 || rightDot >= leftDot)
                let one = takesLeft ? leftValues.next(in: leftBytes) : nil
                let other = takesRight ? rightValues.next(in: rightBytes) : nil
                if takesLeft { leftCount -= 1 }
                if takesRight { rightCount -= 1 }
                guard max(takesLeft ? leftDot : 0, takesRight ? rightDot : 0) > step.result.base
                else { continue }
                switch (one, other) {
                case (let one?, let other?):
                    let order = SiblingSet.order(one, leftBytes, other, rightBytes)
                    if order == 0 {
                        body(.both, one.encoding)
                    } else {
                        body(
                            order < 0 ? .right : .left,
                            order < 0 ? other.encoding : one.encoding
                        )
                    }
                case (let one?, nil): body(.left, one.encoding)
                case (nil, let other?): body(.right, other.encoding)
                case (nil, nil): return
                }
            }
        }
    }

    /// Which of two values under one dot counts; 0 where they are equal, as they should be.
    private static func order(
        _ left: Sibling,
        _ leftBytes: RawSpan,
        _ right: Sibling,
        _ rightBytes: RawSpan
    ) -> Int {
        if leftBytes.isEqual(left.encoding, to: rightBytes, right.encoding) { return 0 }
        if left.version != right.version { return left.version < right.version ? -1 : 1 }
        if left.isTombstone != right.isTombstone { return left.isTombstone ? 1 : -1 }
        return leftBytes.compare(left.encoding, to: rightBytes, right.encoding)
    }
}

extension ByteWriter {
    /// Appends what a set knows of an actor.
    mutating func entry(_ entry: SiblingSet.Entry) {
        integers([entry.actor.high, entry.actor.low, entry.counter])
        uint16(UInt16(entry.count))
    }
}
