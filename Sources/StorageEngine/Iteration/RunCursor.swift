internal import ByteCoding

/// Walks the parts of a run in order, up to a bound.
struct RunCursor {
    /// The part that is walked, behind those before it, and those behind it.
    private var parts: [Part]
    /// The place of the walked part.
    private var current: Int
    private let upper: [UInt8]?
    private let readAhead: Int
    private let keepsBlocks: Bool
    private var cursor: TableCursor

    /// A cursor before the first entry at or behind `key`, of those before `upper`; nil if there
    /// is no part that can have one.
    ///
    /// `advance` goes to the entry; what that reads is brought into the processor's cache now, if
    /// it is in memory.
    init?(
        _ run: Run,
        from key: [UInt8],
        before upper: [UInt8]?,
        readAhead: Int,
        keepsBlocks: Bool
    ) {
        let first = run.firstPart(notBefore: key.span.bytes)
        guard
            let cursor = Self.cursor(
                run.parts,
                first,
                from: key,
                before: upper,
                readAhead,
                keepsBlocks
            )
        else { return nil }
        parts = run.parts
        current = first
        self.upper = upper
        self.readAhead = readAhead
        self.keepsBlocks = keepsBlocks
        self.cursor = cursor
        self.cursor.prepare()
    }

    /// A cursor over the part at a place; nil if that is behind the last, or at `upper`.
    private static func cursor(
        _ parts: [Part],
        _ place: Int,
        from key: [UInt8],
        before upper: [UInt8]?,
        _ readAhead: Int,
        _ keepsBlocks: Bool
    ) -> TableCursor? {
        guard place < parts.count else { return nil }
        let part = parts[place]
        let lower = part.reference.lower
        if let upper, compareBytes(upper.span.bytes, lower.span.bytes) <= 0 { return nil }
        let isInside = compareBytes(lower.span.bytes, key.span.bytes) < 0
        return TableCursor(
            unpositioned: part.table,
            from: isInside ? key : lower,
            before: least(part.reference.upper, upper),
            readAhead: readAhead,
            keepsBlocks: keepsBlocks
        )
    }

    private static func least(_ left: [UInt8]?, _ right: [UInt8]?) -> [UInt8]? {
        guard let left else { return right }
        guard let right else { return left }
        return compareBytes(left.span.bytes, right.span.bytes) <= 0 ? left : right
    }

    /// Goes to the next entry.
    ///
    /// - Returns: where it lies, valid until the cursor goes on; nil behind the last.
    @inline(__always)
    mutating func advance() throws(StorageError) -> EntryPlace? {
        try cursor.advance()
        if cursor.isAtEnd, try !enterNextPart() { return nil }
        return cursor.place
    }

    /// Goes to the first entry of the parts behind the current one; false if there is none.
    @inline(never)
    private mutating func enterNextPart() throws(StorageError) -> Bool {
        while cursor.isAtEnd {
            guard
                let next = Self.cursor(
                    parts,
                    current + 1,
                    from: [],
                    before: upper,
                    readAhead,
                    keepsBlocks
                )
            else { return false }
            // What was walked is let go of, so that its files may be removed.
            parts = Array(parts[(current + 1)...])
            current = 0
            cursor = next
            try cursor.advance()
        }
        return true
    }
}
