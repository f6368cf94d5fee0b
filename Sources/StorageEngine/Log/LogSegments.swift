internal import FileSystems

extension FileNames {
    /// A file kept for the log to write over; its number says nothing of what it holds.
    static func spare(_ number: UInt64, in directory: String) -> String {
        String(segment(number, in: directory).dropLast("log".count)) + "spare"
    }
}

/// The files of a log: segments `NNNNNN.log`, and spares `NNNNNN.spare` for it to write over.
struct LogSegments: Sendable {
    let files: any FileSystem
    let directory: String
    let options: EngineOptions

    /// A segment of this size or more is worth keeping as a spare.
    var spareSize: Int { options.segmentSize - options.segmentSize / 8 }

    /// A segment that was begun.
    struct Begun {
        let file: any WritableFile
        let allocated: Int
    }

    /// Makes the file of a segment, with its header, from a spare if there is one; syncs nothing.
    func begin(
        _ segment: UInt64,
        previousEnd: UInt64,
        sequence: UInt64,
        spare: UInt64?
    ) throws(StorageError) -> Begun {
        try onDisk { () throws(FileSystemError) in
            let path = FileNames.segment(segment, in: directory)
            let file: any WritableFile
            var allocated = LogFormat.segmentHeaderSize
            if let spare {
                try files.rename(FileNames.spare(spare, in: directory), to: path)
                file = try files.openForOverwriting(path)
                allocated = spareSize
            } else {
                file = try files.openForAppending(path, .createNew)
                file.expectShortAppends(upTo: options.segmentSize)
            }
            let header = LogFormat.segmentHeader(
                place: LogPlace(identity: options.identity, segment: segment),
                segment: segment,
                previousEnd: previousEnd,
                sequence: sequence
            )
            try file.append(header.span.bytes)
            return Begun(file: file, allocated: allocated)
        }
    }

    /// Removes what a failed `begin` left: were its header to stay, it would end the segment before
    /// it in the wrong place.
    func discard(_ segment: UInt64) throws(StorageError) {
        try onDisk { () throws(FileSystemError) in
            let path = FileNames.segment(segment, in: directory)
            if try files.exists(path) {
                try files.remove(path)
                try syncNames()
            }
        }
    }

    /// Puts the names of the log's files on the disk.
    func syncNames() throws(FileSystemError) {
        try files.syncDirectory(FileNames.logDirectory(directory))
    }

    /// Removes the segments that are not `kept`, the highest first; syncs the names if there were
    /// any.
    func removeSegments(except kept: Set<UInt64>) throws(StorageError) {
        try onDisk { () throws(FileSystemError) in
            let names = try files.list(FileNames.logDirectory(directory))
            let doomed = names.compactMap { FileNames.number($0, suffix: ".log") }
                .filter { !kept.contains($0) }
            for number in doomed.sorted(by: >) {
                try files.remove(FileNames.segment(number, in: directory))
            }
            if !doomed.isEmpty { try syncNames() }
        }
    }

    /// The spares that an earlier run left, without such as are too short or too many, which go.
    ///
    /// None has the header of a segment on return: a crash may have taken back the name that made a
    /// spare a segment, and a segment of that number may be begun over it once more.
    func spares() throws(StorageError) -> (kept: [UInt64], next: UInt64) {
        try onDisk { () throws(FileSystemError) in
            let names = try files.list(FileNames.logDirectory(directory))
            let found = names.compactMap { FileNames.number($0, suffix: ".spare") }.sorted()
            var kept: [UInt64] = []
            for number in found {
                let path = FileNames.spare(number, in: directory)
                // A number near the limit would leave none for the spares to come.
                if kept.count < options.spareSegments, number < FileNames.numberLimit / 2,
                    try files.size(of: path) >= spareSize
                {
                    try wipeHeader(path)
                    kept.append(number)
                } else {
                    try files.remove(path)
                }
            }
            return (kept, (kept.last ?? 0) + 1)
        }
    }

    private func wipeHeader(_ path: String) throws(FileSystemError) {
        let size = LogFormat.segmentHeaderSize
        let zeros = [UInt8](repeating: 0, count: size)
        guard try files.openForReading(path).read(at: 0, count: size) != zeros else { return }
        let file = try files.openForOverwriting(path)
        try file.append(zeros.span.bytes)
        try file.sync()
        try file.close()
    }

    /// Makes a spare of zeros, on the disk on return.
    ///
    /// - Throws: `diskFull`, `io`; what was made is removed then.
    func makeSpare(_ number: UInt64) throws(StorageError) {
        let path = FileNames.spare(number, in: directory)
        do throws(FileSystemError) {
            let file = try files.openForAppending(path, .createNew)
            try file.extend(to: options.segmentSize)
            try file.sync()
            try file.close()
        } catch {
            // It is the first failure that counts; what stays goes when the log is opened.
            try? files.remove(path)
            throw StorageError(error)
        }
    }
}
