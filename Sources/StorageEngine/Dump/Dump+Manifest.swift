internal import ByteCoding

extension Dump {
    /// Describes the manifest.
    ///
    /// - Returns: what its whole records say together; nil if there is none to be read.
    func manifest(_ line: (String) -> Void) -> Manifest.State? {
        let path = FileNames.manifest(directory)
        let bytes: [UInt8]
        do throws(StorageError) {
            bytes = try readWhole(path, on: files)
        } catch {
            line("damage: \(error)")
            return nil
        }
        let span = bytes.span.bytes
        line("manifest \(path): \(bytes.count) bytes")
        guard bytes.count >= Manifest.headerSize else {
            line("  damage at 0: \(bytes.count) bytes are too few for a header")
            return nil
        }
        let generation = LogFormat.word(span, 16)
        line("  format \(LogFormat.word32(span, 8)), generation \(generation)")
        do throws(StorageError) {
            _ = try Manifest.generation(in: span, of: path, identity: identity)
        } catch {
            line("  damage: \(error)")
        }
        line("  identity \(DumpText.hex(identity))\(isIdentityKnown ? "" : ", not the manifest's")")
        let state = records(in: span, generation, line)
        describe(state, line)
        return state
    }

    /// Goes through the records, past damage.
    private func records(
        in span: RawSpan,
        _ generation: UInt64,
        _ line: (String) -> Void
    ) -> Manifest.State {
        var state = Manifest.State()
        var counts = (records: 0, seals: 0, edits: 0)
        var offset = Manifest.headerSize
        var lost: Int?
        while offset < span.byteCount {
            guard let range = Manifest.payload(in: span, at: offset, identity, generation) else {
                lost = lost ?? offset
                offset += 1
                continue
            }
            if let start = lost { line("  damage from byte \(start) to \(offset)") }
            lost = nil
            var reader = ByteReader(range)
            do throws(CodingError) {
                let count = try reader.uint32(in: span)
                counts.records += 1
                counts.edits += Int(count)
                if count == 0 { counts.seals += 1 }
                for _ in 0..<count {
                    let edit = try ManifestEdit(from: &reader, in: span)
                    if !state.apply(edit) {
                        line("  damage: the record at \(offset) does not fit those before")
                    }
                }
            } catch {
                line("  damage: the record at \(offset): \(error)")
            }
            offset = range.end
        }
        if let lost {
            let isRoom = span.extracting(lost..<span.byteCount).array().allSatisfy { $0 == 0 }
            line("  \(isRoom ? "room" : "torn or damaged") from byte \(lost) to the end")
        }
        line("  \(counts.records) records, \(counts.seals) of them seals, \(counts.edits) edits")
        return state
    }

    private func describe(_ state: Manifest.State, _ line: (String) -> Void) {
        line("  log begins with segment \(state.logBegins), synced through \(state.synced)")
        line("  next table \(state.nextTable)")
        for table in state.obsolete.sorted(by: { ($0.tree, $0.number) < ($1.tree, $1.number) }) {
            line("  obsolete table \(table.number) of tree \(table.tree)")
        }
        for (number, tree) in state.trees.sorted(by: { $0.key < $1.key }) {
            line(
                "  tree \(number): rule \(tree.rule), compression \(tree.compression), log from "
                    + "\(tree.since), \(tree.files.count) tables"
            )
            for metadata in tree.files {
                describe(metadata, line)
                for reference in tree.tables where reference.metadata.number == metadata.number {
                    let range = DumpText.range(reference.lower, reference.upper)
                    line("      part of run \(reference.order) \(range)")
                }
            }
            for range in tree.lost {
                line(
                    "    lost \(DumpText.range(range.lower, range.upper)), stamps to "
                        + "\(range.newestStamp)"
                )
            }
        }
    }

    private func describe(_ metadata: TableMetadata, _ line: (String) -> Void) {
        line(
            "    table \(metadata.number): \(metadata.length) bytes, checksum "
                + "\(DumpText.hex(metadata.checksum)), \(metadata.entryCount) entries, "
                + "\(metadata.tombstoneCount) tombstones, \(metadata.expiringCount) expire by "
                + "\(metadata.lastExpiry), stamps \(metadata.oldestStamp) to "
                + "\(metadata.newestStamp), whole below run \(metadata.wholeBelow)"
        )
        line("      first key \(DumpText.key(metadata.firstKey))")
        line("      last key \(DumpText.key(metadata.lastKey))")
    }
}

extension Compression: CustomStringConvertible {
    /// `none`, or zlib and its level.
    public var description: String {
        switch self {
        case .none: "none"
        case .zlib(let level): "zlib \(level)"
        }
    }
}
