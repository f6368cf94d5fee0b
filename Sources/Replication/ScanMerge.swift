package import Causality

/// The pages that several replicas returned for one scan, merged.
///
/// A page that is not complete says nothing of what lies behind its end, so the merge ends with
/// the first such end.
package struct ScanMerge: Sendable {
    /// One key's merged record.
    package struct Item: Sendable {
        /// The key's token, sign bit flipped.
        package var token: UInt64
        /// The key.
        package var key: [UInt8]
        /// The joined record.
        package var record: [UInt8]
        /// Places in the plan of the replicas that lack it.
        package var behind: [Int]
    }

    /// Merged records in (token, key) order.
    package private(set) var items: [Item] = []
    /// Through where the merge goes; nil for the end of the range.
    package private(set) var end: (token: UInt64, key: [UInt8])?

    /// Merges pages, each with its replica's place in the plan.
    package init(pages: [(index: Int, page: ReplicaPage)], mode: RecordMode) {
        for (_, page) in pages where !page.isComplete {
            let candidate = (token: page.coveredToken, key: page.coveredKey)
            if let end, !Self.precedes(candidate, end) { continue }
            end = candidate
        }
        var positions = [Int](repeating: 0, count: pages.count)
        while true {
            var least: (token: UInt64, key: [UInt8])?
            for (place, entry) in pages.enumerated()
            where positions[place] < entry.page.records.count {
                let record = entry.page.records[positions[place]]
                let candidate = (token: record.token, key: record.key)
                if least.map({ Self.precedes(candidate, $0) }) ?? true { least = candidate }
            }
            guard let least else { break }
            if let end, Self.precedes(end, least) { break }
            var found: [(index: Int, record: [UInt8])] = []
            var missing: [Int] = []
            for (place, entry) in pages.enumerated() {
                let records = entry.page.records
                if positions[place] < records.count, records[positions[place]].token == least.token,
                    records[positions[place]].key == least.key
                {
                    found.append((entry.index, records[positions[place]].record))
                    positions[place] += 1
                } else {
                    missing.append(entry.index)
                }
            }
            let record = found.reduce([]) { mode.joined($0, $1.record) }
            items.append(
                Item(
                    token: least.token,
                    key: least.key,
                    record: record,
                    behind: missing + found.filter { $0.record != record }.map(\.index)
                )
            )
        }
    }

    private static func precedes(
        _ left: (token: UInt64, key: [UInt8]),
        _ right: (token: UInt64, key: [UInt8])
    ) -> Bool {
        left.token == right.token
            ? left.key.lexicographicallyPrecedes(right.key) : left.token < right.token
    }
}
