internal import FileSystems
internal import Synchronization

extension Log {
    /// Whether fewer segments are kept for writing over than the options ask for.
    package var needsSpare: Bool {
        buffer.withLock { buffer in
            !buffer.isPreparingSpare && buffer.poison == nil && !buffer.isClosed
                && buffer.spares.count < segmentFiles.options.spareSegments
        }
    }

    /// Makes a segment for writing over, if one is needed; takes as long as writing it does.
    ///
    /// - Throws: `diskFull`, `io`; it may be tried again.
    package func prepareSpare() throws(StorageError) {
        guard needsSpare else { return }
        let number = buffer.withLock { buffer in
            buffer.isPreparingSpare = true
            return Self.takeSpareNumber(&buffer)
        }
        defer { buffer.withLock { $0.isPreparingSpare = false } }
        try segmentFiles.makeSpare(number)
        buffer.withLock { $0.spares.append(number) }
    }

    /// Removes the segments before `first`, which no manifest needs any more, or keeps them for
    /// writing over.
    ///
    /// - Throws: `io`; the segments that are left go when the log is opened again.
    package func trim(before first: UInt64) throws(StorageError) {
        for segment in buffer.withLock({ $0.removeSegments(before: first) }) {
            let spare = buffer.withLock { buffer -> UInt64? in
                guard buffer.spares.count < segmentFiles.options.spareSegments,
                    segment.allocated >= segmentFiles.spareSize
                else { return nil }
                return Self.takeSpareNumber(&buffer)
            }
            let path = FileNames.segment(segment.number, in: segmentFiles.directory)
            try onDisk { () throws(FileSystemError) in
                guard let spare else { return try segmentFiles.files.remove(path) }
                try segmentFiles.files.rename(
                    path,
                    to: FileNames.spare(spare, in: segmentFiles.directory)
                )
            }
            if let spare { buffer.withLock { $0.spares.append(spare) } }
        }
    }

    private static func takeSpareNumber(_ buffer: inout LogBuffer) -> UInt64 {
        defer { buffer.nextSpare &+= 1 }
        return buffer.nextSpare
    }
}
