internal import FileSystems
internal import Synchronization

extension Log {
    /// Whether the log is synced often and has fewer segments to write over than the options ask
    /// for.
    package var needsSpare: Bool {
        buffer.withLock { $0.isSyncedOften && hasRoomForSpare($0) }
    }

    private func hasRoomForSpare(_ buffer: borrowing LogBuffer) -> Bool {
        !buffer.isPreparingSpare && buffer.poison == nil && !buffer.isClosed
            && buffer.spares.count < segmentFiles.options.spareSegments
    }

    /// Makes a segment for writing over, unless there are enough; takes as long as writing it does.
    ///
    /// A log whose current segment grows goes on in the new one at once.
    ///
    /// - Throws: `diskFull`, `io`; it may be tried again.
    package func prepareSpare() throws(StorageError) {
        let number = buffer.withLock { buffer -> UInt64? in
            guard hasRoomForSpare(buffer) else { return nil }
            buffer.isPreparingSpare = true
            return Self.takeSpareNumber(&buffer)
        }
        guard let number else { return }
        defer { buffer.withLock { $0.isPreparingSpare = false } }
        try segmentFiles.makeSpare(number)
        let isGrowing = buffer.withLock { buffer in
            buffer.spares.append(number)
            return buffer.isGrowing(below: segmentFiles.spareSize)
        }
        if isGrowing { try beginSegment() }
    }

    /// Removes the segments before `first`, which no manifest needs any more, or keeps them for
    /// writing over if the log is synced often.
    ///
    /// - Throws: `io`; the segments that are left go when the log is opened again.
    package func trim(before first: UInt64) throws(StorageError) {
        let left = try withWriter { writer throws(StorageError) in
            let gone = writer.left.filter { $0.segment < first }
            writer.left.removeAll { $0.segment < first }
            return gone.map(\.file)
        }
        try onDisk { () throws(FileSystemError) in for file in left { try file.close() } }
        for segment in buffer.withLock({ $0.removeSegments(before: first) }) {
            let spare = buffer.withLock { buffer -> UInt64? in
                guard buffer.isSyncedOften,
                    buffer.spares.count < segmentFiles.options.spareSegments,
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
