internal import ByteCoding
internal import FileSystems

extension Dump {
    /// Describes the tables of all trees, those that the manifest names and those that are there.
    func tables(_ state: Manifest.State?, _ line: (String) -> Void) {
        let there = Set(names.compactMap(FileNames.tree))
        let opened = TableFiles(directory: directory, files: files, limit: 1)
        for tree in there.union(state?.trees.keys.map { $0 } ?? []).sorted() {
            let known = state?.trees[tree]?.files ?? []
            let place = FileNames.treeDirectory(tree, in: directory)
            let names: [String]
            do throws(FileSystemError) {
                names = try files.list(place)
            } catch {
                line("damage: \(error)")
                continue
            }
            line("tree \(tree) \(place)\(state?.trees[tree] == nil ? ": not in the manifest" : "")")
            let numbers = Set(names.compactMap { FileNames.number($0, suffix: ".sst") })
            for number in numbers.union(known.map(\.number)).sorted() {
                let source = TableSource(opened, number: number, tree: tree, identity: identity)
                let metadata = known.first { $0.number == number }
                do throws(StorageError) {
                    try table(source, metadata, line)
                } catch {
                    line("    damage: \(error)")
                }
                opened.forget(number)
            }
            for name in names where FileNames.number(name, suffix: ".sst") == nil {
                let size = (try? files.size(of: "\(place)/\(name)")).map(String.init) ?? "unknown"
                line("  other \(place)/\(name): \(size) bytes")
            }
        }
    }

    private func table(
        _ source: TableSource,
        _ metadata: TableMetadata?,
        _ line: (String) -> Void
    ) throws(StorageError) {
        line("  table \(source.number)\(metadata == nil ? ": not in the manifest" : "")")
        let size = try source.files.size(source.number, tree: source.tree)
        line("    \(size) bytes")
        var window = TableWindow(source, sums: true)
        let header = unsafe Array(
            try window.load(at: 0, count: TableFormat.headerSize, ahead: Self.piece)
        )
        switch TableFormat.check(
            header: header.span.bytes,
            identity: identity,
            tree: source.tree,
            number: source.number
        ) {
        case .own: line("    header: format \(TableFormat.version)")
        case .damaged(let expected, let found):
            line("    damage of the header: expected \(expected), found \(found)")
        case .foreign(let what): line("    the header is foreign: \(what)")
        case .newer(let version): line("    header: format \(version), which is newer")
        }
        let end = max(TableFormat.headerSize, size - TableFormat.footerSize)
        var offset = TableFormat.headerSize
        while offset < end {
            switch try window.block(at: offset, length: nil, end: end, ahead: Self.piece) {
            case .success(let found):
                block(found, at: offset, line)
                offset += found.header.blockLength
            case .failure(let mismatch):
                let next = try window.nextBlock(after: offset, end: end, ahead: Self.piece)
                line(
                    "    damage from byte \(offset) to \(next): expected \(mismatch.expected), "
                        + "found \(mismatch.found)"
                )
                offset = next
            }
        }
        try footer(source, &window, size, line)
        guard let metadata else { return }
        if metadata.length != UInt64(size) {
            line("    damage: the manifest says \(metadata.length) bytes")
        } else if window.checksum.count == size, window.checksum.checksum != metadata.checksum {
            line(
                "    damage: the file's checksum is \(DumpText.hex(window.checksum.checksum)), "
                    + "the manifest says \(DumpText.hex(metadata.checksum))"
            )
        }
    }

    private static let piece = 256 << 10

    private func block(_ block: TableWindow.Checked, at offset: Int, _ line: (String) -> Void) {
        let header = block.header
        let bytes = unsafe UnsafeRawBufferPointer(start: block.payload, count: block.count)
        let lengths =
            "codec \(header.codec), \(header.storedLength) bytes stored, \(header.rawLength) raw"
        let content: String
        switch header.type {
        case .data:
            dataBlock(block, "    block at \(offset): data, \(lengths)", line)
            return
        case .versions:
            let count = block.count / VersionRecord.size
            let first = count > 0 ? unsafe VersionRecord(at: block.payload).prefix : 0
            content = "\(count) entries, first prefix \(DumpText.hex(first))"
        case .filter:
            content = "\(max(0, block.count - 4) * 8) bits"
        case .index:
            if let index = unsafe TableIndex(payload: bytes.bytes, end: offset) {
                content =
                    "\(index.count) data blocks, \(index.versionPrefixes.count) version blocks"
            } else {
                content = "damage: it makes no sense"
            }
        }
        line("    block at \(offset): \(header.type), \(lengths), \(content)")
    }

    private func dataBlock(
        _ block: TableWindow.Checked,
        _ start: String,
        _ line: (String) -> Void
    ) {
        guard let entries = unsafe DataBlock(base: block.payload, count: block.count) else {
            line("\(start), damage: the entries make no sense")
            return
        }
        var walk = DataBlockWalk()
        var count = 0
        var first: [UInt8]?
        var lines: [String] = []
        walk.enter(entries, at: entries.start)
        var step = walk.step()
        while case .entry = step {
            count += 1
            if first == nil { first = walk.key }
            if options.showsEntries {
                let stamp = "stamp \(walk.stamp)\(walk.isWhole ? " whole" : "")"
                lines.append(
                    walk.withEntry { key, value in
                        "      key \(DumpText.key(key.array())) \(stamp) \(text(of: value))"
                    }
                )
            }
            step = walk.step()
        }
        line("\(start), \(count) entries, first key \(first.map(DumpText.key) ?? "none")")
        for entry in lines { line(entry) }
        if case .malformed = step { line("      damage: the entry behind these makes no sense") }
    }

    private func footer(
        _ source: TableSource,
        _ window: inout TableWindow,
        _ size: Int,
        _ line: (String) -> Void
    ) throws(StorageError) {
        let offset = size - TableFormat.footerSize
        guard offset >= TableFormat.headerSize else {
            line("    damage: there is no room for a footer")
            return
        }
        let bytes = unsafe Array(
            try window.load(
                at: offset,
                count: TableFormat.footerSize,
                ahead: TableFormat.footerSize
            )
        )
        switch TableFormat.footerFields(
            in: bytes.span.bytes,
            seed: TableFormat.seed(source.seed, at: offset)
        ) {
        case .success(let fields):
            line(
                "    footer: versions at \(fields.versionOffset), filter at "
                    + "\(fields.filterOffset), index at \(fields.indexOffset), "
                    + "\(fields.entries) entries, stamps to \(fields.newestStamp), table "
                    + "\(fields.number) of tree \(fields.tree)"
            )
        case .failure(let mismatch):
            line(
                "    damage of the footer: expected \(mismatch.expected), found \(mismatch.found)"
            )
        }
    }
}
