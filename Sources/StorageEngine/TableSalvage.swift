internal import ByteCoding

/// Walks what is whole of a damaged part, and names the ranges of keys that are not.
struct TableSalvage {
    private let table: Table
    private let reference: TableReference
    private var cursor: TableCursor?
    private var isOpen = false

    init(_ table: Table, _ reference: TableReference) {
        self.table = table
        self.reference = reference
    }

    /// Lends the next entry that can be read.
    ///
    /// - Parameters:
    ///   - lose: told of each range of keys of which nothing is known, inside the part's bounds.
    ///   - body: given the entry; must not keep the spans.
    /// - Returns: false behind the last.
    /// - Throws: `io`: the disk did not say what it has.
    mutating func next(
        _ lose: (_ lower: [UInt8], _ upper: [UInt8]?) -> Void,
        _ body: (_ key: RawSpan, _ value: RawSpan, _ stamp: UInt64, _ isWhole: Bool) -> Void
    ) throws(StorageError) -> Bool {
        if !isOpen {
            isOpen = true
            cursor = try TableCursor(
                table,
                from: reference.lower.span.bytes,
                before: reference.upper,
                readAhead: 0
            ) { _, lower, upper in
                if lower != upper { lose(lower, upper) }
            }
        }
        guard let current = cursor, !current.isAtEnd else { return false }
        let (stamp, isWhole) = (current.stamp, current.isWhole)
        current.withEntry { key, value in body(key, value, stamp, isWhole) }
        do throws(StorageError) {
            try cursor?.advance()
        } catch {
            guard case .corruption = error else { throw error }
            try skip(lose)
        }
        return true
    }

    /// Leaves out blocks until one is whole.
    private mutating func skip(
        _ lose: (_ lower: [UInt8], _ upper: [UInt8]?) -> Void
    ) throws(StorageError) {
        while let range = cursor?.skipDamage() {
            if range.lower != range.upper { lose(range.lower, range.upper) }
            do throws(StorageError) {
                try cursor?.advance()
                return
            } catch {
                guard case .corruption = error else { throw error }
            }
        }
    }
}
