internal import ByteCoding
internal import FileSystems

extension Dump {
    /// Describes the log's segments and where it ends.
    func log(_ state: Manifest.State?, _ line: (String) -> Void) {
        let place = FileNames.logDirectory(directory)
        let names: [String]
        do throws(FileSystemError) {
            names = try files.list(place)
        } catch {
            line("damage: \(error)")
            return
        }
        let numbers = names.compactMap { FileNames.number($0, suffix: ".log") }.sorted()
        line("log \(place): \(numbers.count) segments")
        for number in numbers { segment(number, line) }
        for name in names where FileNames.number(name, suffix: ".log") == nil {
            let size = (try? files.size(of: "\(place)/\(name)")).map(String.init) ?? "unknown"
            let kind = FileNames.isOwnLog(name) ? "spare" : "other"
            line("  \(kind) \(place)/\(name): \(size) bytes")
        }
        end(state, numbers, line)
    }

    /// Says how far recovery would read.
    private func end(_ state: Manifest.State?, _ numbers: [UInt64], _ line: (String) -> Void) {
        let reader = LogReader(files: files, directory: directory, identity: identity)
        do throws(StorageError) {
            let contents = try reader.read(
                from: state?.logBegins,
                numbers: numbers,
                mark: state?.synced ?? LogPosition(segment: 0, offset: 0)
            )
            let count = contents.segments.reduce(0) { $0 + $1.batches.count }
            line(
                "  the log ends at \(contents.end), synced through \(contents.mark), with "
                    + "\(count) batches; next record at least \(contents.nextSequence)"
            )
            for damage in contents.damage { line("  damage: \(damage.error)") }
        } catch {
            line("  damage: \(error)")
        }
    }

    private func segment(_ number: UInt64, _ line: (String) -> Void) {
        let path = FileNames.segment(number, in: directory)
        let scan: LogScan
        do throws(StorageError) {
            let bytes = try readWhole(path, on: files)
            scan = LogScan(number: number, bytes: bytes, identity: identity)
        } catch {
            line("  damage: \(error)")
            return
        }
        line("  segment \(number): \(scan.bytes.count) bytes")
        if let header = scan.header {
            let before = header.previousEnd
            line(
                "    format \(header.version), records from \(header.sequence), "
                    + (before == LogFormat.anew
                        ? "the log begins anew" : "the segment before ends at \(before)")
            )
        } else {
            line("    no whole header of this segment")
        }
        var end = LogFormat.segmentHeaderSize
        for entry in scan.entries {
            if entry.offset > end, isWritten(scan.bytes[end..<entry.offset]) {
                line("    bytes \(end) to \(entry.offset) are no whole batch")
            }
            end = entry.end
            batch(entry, in: scan, line)
        }
        if end < scan.bytes.count {
            let rest = isWritten(scan.bytes[end...]) ? "no whole batch" : "zeros"
            line("    bytes \(end) to \(scan.bytes.count) are \(rest)")
        }
    }

    private func isWritten(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.contains { $0 != 0 }
    }

    private func batch(_ entry: LogScan.Entry, in scan: LogScan, _ line: (String) -> Void) {
        let header = entry.header
        let life =
            header.sequence < scan.header?.sequence ?? 0 ? ", of an earlier life of the file" : ""
        let content =
            header.count == 0
            ? "mark"
            : "\(header.count) records in \(header.length) bytes, prefixes "
                + "\(DumpText.hex(header.lowest)) to \(DumpText.hex(header.highest))"
        line(
            "    batch at \(entry.offset): number \(header.sequence), \(content), synced through "
                + "\(header.synced)\(life)"
        )
        if let damage = entry.damage {
            line(
                "      damage at \(damage.offset): expected \(damage.expected), found "
                    + "\(damage.found)"
            )
        }
        guard options.showsEntries, entry.payload.end <= scan.bytes.count else { return }
        let span = scan.bytes.span.bytes.extracting(0..<entry.payload.end)
        var next = Record(in: span, at: entry.payload.offset)
        while let record = next {
            let key = span.extracting(record.orderedKey.offset..<record.orderedKey.end).array()
            let value = span.extracting(record.value.offset..<record.value.end)
            line(
                "      tree \(record.tree) key \(DumpText.key(key)) stamp \(record.stamp) "
                    + (record.isDeletion ? "deletion" : text(of: value))
            )
            next = Record(in: span, at: record.value.end)
        }
    }
}
