internal import ByteCoding

/// Walks the parts of a run in order, up to a bound.
struct RunCursor {
    /// The part that is walked, behind those before it, and those behind it.
    private var parts: [Part]
    /// The place of the walked part.
    private var current: Int
    private let upper: [UInt8]?
    private let readAhead: Int
    private var cursor: TableCursor

    /// The first entry at or behind `key`, of those before `upper`; nil if there is none.
    init?(
        _ run: Run,
        from key: [UInt8],
        before upper: [UInt8]?,
        readAhead: Int
    ) throws(StorageError) {
        parts = run.parts
        self.upper = upper
        self.readAhead = readAhead
        let first = run.firstPart(notBefore: key.span.bytes)
        guard
            let (place, cursor) = try Self.open(
                parts,
                first,
                from: key,
                before: upper,
                readAhead
            )
        else { return nil }
        current = place
        self.cursor = cursor
    }

    /// The first entry of the parts from `first` on, with its part's place.
    private static func open(
        _ parts: [Part],
        _ first: Int,
        from key: [UInt8],
        before upper: [UInt8]?,
        _ readAhead: Int
    ) throws(StorageError) -> (place: Int, cursor: TableCursor)? {
        for place in first..<parts.count {
            let part = parts[place]
            let lower = part.reference.lower
            if let upper, compareBytes(upper.span.bytes, lower.span.bytes) <= 0 { return nil }
            let isInside = compareBytes(lower.span.bytes, key.span.bytes) < 0
            let cursor = try TableCursor(
                part.table,
                from: isInside ? key : lower,
                before: least(part.reference.upper, upper),
                readAhead: readAhead
            )
            if !cursor.isAtEnd { return (place, cursor) }
        }
        return nil
    }

    private static func least(_ left: [UInt8]?, _ right: [UInt8]?) -> [UInt8]? {
        guard let left else { return right }
        guard let right else { return left }
        return compareBytes(left.span.bytes, right.span.bytes) <= 0 ? left : right
    }

    /// Where the entry lies; valid until the cursor goes on.
    var place: EntryPlace { cursor.place }

    /// Goes to the next entry.
    ///
    /// - Returns: where it lies; nil behind the last.
    mutating func advance() throws(StorageError) -> EntryPlace? {
        try cursor.advance()
        if cursor.isAtEnd {
            guard
                let (place, next) = try Self.open(
                    parts,
                    current + 1,
                    from: [],
                    before: upper,
                    readAhead
                )
            else { return nil }
            // What was walked is let go of, so that its files may be removed.
            parts = Array(parts[place...])
            current = 0
            cursor = next
        }
        return cursor.place
    }
}
