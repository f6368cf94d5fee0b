internal import ByteCoding

/// Walks the parts of a run in order, up to a bound.
struct RunCursor {
    /// The part that is walked and those behind it.
    private var parts: ArraySlice<Part>
    private let upper: [UInt8]?
    private let readAhead: Int
    private var cursor: TableCursor?

    /// The first entry at or behind `key`, of those before `upper`.
    init(
        _ run: Run,
        from key: RawSpan,
        before upper: [UInt8]?,
        readAhead: Int
    ) throws(StorageError) {
        parts = run.parts[...]
        self.upper = upper
        self.readAhead = readAhead
        while let first = parts.first, Self.isBehind(key, first.reference) { parts.removeFirst() }
        try open(from: key)
    }

    /// Whether all of a part lies before a key.
    private static func isBehind(_ key: RawSpan, _ reference: TableReference) -> Bool {
        if let upper = reference.upper { return compareBytes(upper.span.bytes, key) <= 0 }
        return compareBytes(reference.metadata.lastKey.span.bytes, key) < 0
    }

    private mutating func open(from key: RawSpan) throws(StorageError) {
        cursor = nil
        while let part = parts.first {
            let reference = part.reference
            if let upper, compareBytes(upper.span.bytes, reference.lower.span.bytes) <= 0 { return }
            let lower = reference.lower
            let isInside = compareBytes(lower.span.bytes, key) < 0
            let end = Self.least(reference.upper, upper)
            let opened: TableCursor
            if isInside {
                opened = try TableCursor(
                    part.table,
                    from: key,
                    before: end,
                    readAhead: readAhead
                )
            } else {
                opened = try TableCursor(
                    part.table,
                    from: lower.span.bytes,
                    before: end,
                    readAhead: readAhead
                )
            }
            if !opened.isAtEnd {
                cursor = opened
                return
            }
            drop()
        }
    }

    /// Lets go of the first part and of its table.
    private mutating func drop() {
        parts = ArraySlice(Array(parts.dropFirst()))
    }

    private static func least(_ left: [UInt8]?, _ right: [UInt8]?) -> [UInt8]? {
        guard let left else { return right }
        guard let right else { return left }
        return compareBytes(left.span.bytes, right.span.bytes) <= 0 ? left : right
    }

    var isAtEnd: Bool { cursor == nil }
    var first: UInt64 { cursor?.first ?? 0 }
    var second: UInt64 { cursor?.second ?? 0 }
    var stamp: UInt64 { cursor?.stamp ?? 0 }

    /// Lends the current entry.
    func withEntry<R>(_ body: (_ key: RawSpan, _ value: RawSpan) -> R) -> R {
        guard let result = cursor?.withEntry(body) else {
            preconditionFailure("a cursor at its end lends no entry")
        }
        return result
    }

    mutating func advance() throws(StorageError) {
        try cursor?.advance()
        if cursor?.isAtEnd ?? false {
            cursor = nil
            drop()
            let nothing: [UInt8] = []
            try open(from: nothing.span.bytes)
        }
    }
}
