internal import ByteCoding
internal import FileSystems
internal import Synchronization

/// Damage of a table, and the keys of which it leaves nothing known.
public struct TableFinding: Equatable, Sendable {
    /// The tree.
    public let tree: UInt32
    /// File, offset, expected and found.
    public let error: StorageError
    /// The keys that are unknown; nil if none is, since all blocks are whole.
    public let range: LostRange?
}

/// What a scrub did.
public struct ScrubReport: Equatable, Sendable {
    /// Damage that was found.
    public internal(set) var findings: [TableFinding] = []
    /// Tables that were written anew from what was whole.
    public internal(set) var salvagedTables: [UInt64] = []
    /// The damaged files, kept under other names.
    public internal(set) var quarantinedFiles: [String] = []
    /// Ranges of which records may have been lost; reads there fail until they are cleared.
    public internal(set) var lost: [LostRange] = []
    /// Damaged tables that a compaction was working on; scrub again later.
    public internal(set) var skippedTables: [UInt64] = []
}

extension TableDamage {
    /// The damage as seen by a tree that has a part of the table.
    func finding(in part: Part, tree: UInt32) -> TableFinding {
        TableFinding(
            tree: tree,
            error: .corruption(
                file: file,
                offset: offset,
                expected: expected,
                found: found,
                what: what
            ),
            range: lower.isEmpty
                ? nil
                : LostRange(
                    lower: lower,
                    upper: upper,
                    newestStamp: part.reference.metadata.newestStamp
                )
        )
    }
}

extension Engine {
    /// Reads every table of a tree and checks all its bytes; changes nothing.
    ///
    /// - Parameters:
    ///   - number: the tree's.
    ///   - pace: told of the bytes read; false ends it early.
    /// - Returns: the damage; empty if there is none.
    /// - Throws: `unknownTree`, `io`.
    public func verify(
        tree number: UInt32,
        pace: (_ bytes: Int) -> Bool = { _ in true }
    ) throws(StorageError) -> [TableFinding] {
        let tree = try existing(number)
        var findings: [TableFinding] = []
        for part in tree.view.parts {
            for damage in try part.table.verify(pace) {
                let finding = damage.finding(in: part, tree: number)
                if !findings.contains(finding) { findings.append(finding) }
            }
        }
        return findings
    }

    /// Verifies a tree and writes each damaged table anew from what is whole of it.
    ///
    /// What was not whole becomes a lost range: reads there fail with `lost`, until the owner has
    /// brought the records from elsewhere and calls `clearLostRanges`. The damaged file stays
    /// beside the new one under the suffix `.damaged`.
    ///
    /// - Throws: `unknownTree`, `diskFull`, `io`, `poisoned`, `closed`.
    public func scrub(
        tree number: UInt32,
        pace: (_ bytes: Int) -> Bool = { _ in true }
    ) throws(StorageError) -> ScrubReport {
        if let refusal = log.refusal { throw refusal }
        let tree = try existing(number)
        var report = ScrubReport()
        for part in tree.view.parts {
            let damage = try part.table.verify(pace)
            guard !damage.isEmpty else { continue }
            report.findings += damage.map { $0.finding(in: part, tree: number) }
            let table = part.reference.metadata.number
            guard let claim = claim(part, of: tree) else {
                report.skippedTables.append(table)
                continue
            }
            defer { release(claim, of: tree) }
            try salvage(part, of: tree, into: &report)
        }
        return report
    }

    /// Keeps compactions away from a part; nil if one works on its table, or it is gone.
    private func claim(_ part: Part, of tree: Tree) -> CompactionChoice? {
        tree.upkeep.withLock { upkeep in
            let number = part.reference.metadata.number
            let isBusy = upkeep.running.contains { choice in
                choice.orders.contains(part.reference.order)
            }
            let isThere = tree.view.parts.contains { $0.reference == part.reference }
            guard !isBusy, isThere else { return nil }
            let claim = CompactionChoice(
                inputs: [.init(number: number, lower: part.reference.lower)],
                lower: part.reference.lower,
                upper: part.reference.upper ?? part.reference.metadata.lastKey + [0],
                order: part.reference.order,
                orders: [part.reference.order],
                moves: [],
                bytes: part.sizeInBytes,
                reason: .manual
            )
            upkeep.running.append(claim)
            return claim
        }
    }

    private func release(_ claim: CompactionChoice, of tree: Tree) {
        tree.upkeep.withLock { upkeep in
            if let index = upkeep.running.firstIndex(of: claim) {
                upkeep.running.remove(at: index)
            }
        }
    }

    private func salvage(
        _ part: Part,
        of tree: Tree,
        into report: inout ScrubReport
    ) throws(StorageError) {
        let metadata = part.reference.metadata
        var writer = try tableWriter(for: tree, wholeBelow: metadata.wholeBelow)
        var lost: [LostRange] = []
        var added: [Part] = []
        do throws(StorageError) {
            try copy(part, to: &writer) { lower, upper in
                lost.append(
                    LostRange(lower: lower, upper: upper, newestStamp: metadata.newestStamp)
                )
            }
            if writer.isEmpty {
                writer.abandon()
            } else {
                let written = try writer.finish()
                let reference = TableReference(written, order: part.reference.order)
                added.append(Part(reference: reference, table: try open(written)))
            }
        } catch {
            writer.abandon()
            throw error
        }
        let path = FileNames.table(metadata.number, tree: tree.number, in: directory)
        try quarantine(path, tree, into: &report)
        try replace([part.reference.part], in: tree, adding: added, losing: lost) { _ in [] }
        report.salvagedTables.append(metadata.number)
        report.lost += lost
    }

    /// Copies what is whole of a part, and says which ranges are not.
    private func copy(
        _ part: Part,
        to writer: inout TableWriter,
        _ lose: (_ lower: [UInt8], _ upper: [UInt8]?) -> Void
    ) throws(StorageError) {
        var salvage = TableSalvage(part.table, part.reference)
        var failure: StorageError?
        while failure == nil {
            let hasMore = try salvage.next(lose) { key, value, stamp, isWhole in
                do throws(StorageError) {
                    try writer.add(key: key, value: value, stamp: stamp, isWhole: isWhole)
                } catch {
                    failure = error
                }
            }
            if !hasMore { break }
        }
        if let failure { throw failure }
    }

    private func quarantine(
        _ path: String,
        _ tree: Tree,
        into report: inout ScrubReport
    ) throws(StorageError) {
        let kept = path + ".damaged"
        guard !report.quarantinedFiles.contains(kept) else { return }
        do throws(FileSystemError) {
            try files.link(path, to: kept)
            try files.syncDirectory(FileNames.treeDirectory(tree.number, in: directory))
            report.quarantinedFiles.append(kept)
        } catch {
            // Without a file there is nothing to keep.
            guard error.reason == .notFound || error.reason == .alreadyExists else {
                throw StorageError(error)
            }
        }
    }
}
