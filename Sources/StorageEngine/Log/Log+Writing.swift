internal import FileSystems
internal import Synchronization

extension Log {
    /// Returns once a batch is on the disk, with one write and one sync for all that wait.
    ///
    /// - Returns: a position that is durable now, the batch's end or one behind it.
    /// - Throws: `diskFull` if the batch was taken back, `poisoned`, `io`.
    @discardableResult
    package func sync(through position: AppendedPosition) throws(StorageError) -> LogPosition {
        if isKnownDurable(position) { return position.end }
        group.arrive()
        for _ in 0..<Self.triesBeforeQueuing {
            // Read before the lock is tried, so that whoever holds it is still to advance it.
            let seen = group.commits.now
            let result = try withWriterIfAvailable { writer throws(StorageError) in
                try lead(&writer, position)
            }
            if let result { return result }
            group.commits.wait(past: seen)
            // Most who come here waited for the one who wrote their batch.
            if isKnownDurable(position) { return position.end }
            if hasTakenBack.load(ordering: .acquiring),
                let done = try outcome(of: position, syncing: true)
            {
                return done
            }
        }
        // Those who queue for the lock hand it to each other, and who only tries never gets it.
        return try withWriter { writer throws(StorageError) in try lead(&writer, position) }
    }

    /// Rounds in which a sync that another leads, or the one behind it, serves nearly all.
    private static let triesBeforeQueuing = 3

    /// Writes and syncs a batch, and all that come until the sync begins, unless another did.
    private func lead(
        _ writer: inout Writer,
        _ position: AppendedPosition
    ) throws(StorageError) -> LogPosition {
        if let done = try outcome(of: position, syncing: true) { return done }
        group.gather()
        do throws(StorageError) {
            return try flush(&writer, syncing: true)
        } catch {
            // Others' batches may have been taken back and this one not.
            if let done = try outcome(of: position, syncing: true) { return done }
            throw error
        }
    }

    private func isKnownDurable(_ position: AppendedPosition) -> Bool {
        position.sequence < knownDurable.load(ordering: .acquiring)
    }

    /// Returns once a batch is written, without syncing it: it survives the process, not the
    /// machine.
    ///
    /// - Returns: the position that is written now.
    /// - Throws: `diskFull` if the batch was taken back, `poisoned`, `io`.
    @discardableResult
    package func write(through position: AppendedPosition) throws(StorageError) -> LogPosition {
        try withWriter { writer throws(StorageError) in
            if let done = try outcome(of: position, syncing: false) { return done }
            do throws(StorageError) {
                return try flush(&writer, syncing: false)
            } catch {
                // Others' batches may have been taken back and this one not.
                if let done = try outcome(of: position, syncing: false) { return done }
                throw error
            }
        }
    }

    /// Writes what was appended, and syncs it if asked to.
    ///
    /// A full disk takes back what is not written: its owners are told `diskFull`, and the log goes
    /// on behind what is. Any other failure, and any of a sync, poisons for good: what the disk
    /// holds is unknown from then on.
    ///
    /// - Returns: the position that is durable, or written, now.
    /// - Throws: `diskFull` if anything appended before the call was taken back, `poisoned`, `io`.
    @discardableResult
    package func write(syncing: Bool) throws(StorageError) -> LogPosition {
        let (through, drops) = buffer.withLock { ($0.nextSequence, $0.dropCount) }
        return try withWriter { writer throws(StorageError) in
            let done = try buffer.withLock { buffer throws(StorageError) -> LogPosition? in
                if buffer.dropCount != drops, let last = buffer.dropped.last {
                    throw .diskFull(last.reason)
                }
                if let poison = buffer.poison { throw .poisoned(reason: poison) }
                return syncing && buffer.durableSequence >= through
                    && buffer.end.segment == buffer.durable.segment ? buffer.durable : nil
            }
            if let done, !writer.isUnsynced { return done }
            return try flush(&writer, syncing: syncing)
        }
    }

    /// Where the log is durable or written once a batch is; nil while it is not.
    private func outcome(
        of position: AppendedPosition,
        syncing: Bool
    ) throws(StorageError) -> LogPosition? {
        try buffer.withLock { buffer throws(StorageError) -> LogPosition? in
            if let reason = buffer.reasonDropped(position.sequence) { throw .diskFull(reason) }
            if position.sequence < (syncing ? buffer.durableSequence : buffer.writtenSequence) {
                return syncing ? buffer.durable : buffer.written
            }
            if let poison = buffer.poison { throw .poisoned(reason: poison) }
            return nil
        }
    }

    /// The most bytes of memory that are kept from one write to the next, twice.
    private static let maximumRoom = 4 << 20

    private func flush(_ writer: inout Writer, syncing: Bool) throws(StorageError) -> LogPosition {
        var room: [UInt8] = []
        swap(&room, &writer.room)
        room.removeAll(keepingCapacity: true)
        let taken = try buffer.withLock { buffer throws(StorageError) in
            if let poison = buffer.poison { throw .poisoned(reason: poison) }
            return buffer.take(recycling: &room)
        }
        if syncing { group.begin() }
        do throws(StorageError) {
            for chunk in taken.sealed { try write(chunk, &writer) }
            if let chunk = taken.current { try write(chunk, &writer) }
        } catch {
            let isPoisoned = buffer.withLock { $0.poison != nil }
            guard case .diskFull(let reason) = error, !isPoisoned else {
                poison("the log could not be written: \(error)")
                throw error
            }
            try takeBack(&writer, reason, syncing: syncing)
            throw error
        }
        // The memory of what was just written serves what is appended during the next write.
        if let last = taken.current?.bytes, last.capacity <= Self.maximumRoom { room = last }
        writer.room = room
        if syncing {
            try sync(&writer)
            group.end()
        }
        return buffer.withLock { syncing ? $0.durable : $0.written }
    }

    private func write(
        _ chunk: LogBuffer.Chunk,
        _ writer: inout Writer
    ) throws(StorageError) {
        if chunk.segment != writer.segment { try roll(&writer, to: chunk) }
        if !chunk.bytes.isEmpty {
            try onDisk { () throws(FileSystemError) in
                try writer.file.append(chunk.bytes.span.bytes)
            }
            writer.isUnsynced = true
        }
        buffer.withLock { $0.wrote(chunk) }
    }

    private func sync(_ writer: inout Writer) throws(StorageError) {
        if writer.isUnsynced {
            let left = writer.left
            try orPoison { () throws(FileSystemError) in
                for old in left {
                    try old.file.sync()
                    try old.file.close()
                }
            }
            writer.left = []
            try syncCurrent(&writer)
            writer.isUnsynced = false
        }
        buffer.withLock { buffer in
            buffer.synced()
            guard buffer.dropped.isEmpty else { return }
            knownDurable.store(buffer.durableSequence, ordering: .releasing)
        }
    }

    private func syncCurrent(_ writer: inout Writer) throws(StorageError) {
        let file = writer.file
        let hasNewNames = writer.hasNewNames
        try orPoison { () throws(FileSystemError) in
            if hasNewNames { try segmentFiles.syncNames() }
            try file.sync()
        }
        writer.hasNewNames = false
        let segment = writer.segment
        buffer.withLock { buffer in
            buffer.secured(segment)
            buffer.statistics.syncs += 1
        }
    }

    /// Syncs what was written to the current segment, but none of those before it.
    ///
    /// So they may be removed without ever being synced, once no record of theirs is needed.
    ///
    /// - Returns: the segment; what was appended to it before the call is on the disk.
    /// - Throws: `diskFull`, `poisoned`, `io`.
    package func secure() throws(StorageError) -> UInt64 {
        try withWriter { writer throws(StorageError) in
            _ = try flush(&writer, syncing: false)
            try syncCurrent(&writer)
            return writer.segment
        }
    }

    /// Ends a segment and begins the next.
    ///
    /// The segments before and the names are on the disk before anything of the new segment counts
    /// as durable; its header goes with its first batches. What a crash leaves until then is a torn
    /// tail, with whole batches behind it perhaps.
    private func roll(_ writer: inout Writer, to chunk: LogBuffer.Chunk) throws(StorageError) {
        let spare = buffer.withLock { $0.spares.popLast() }
        let begun: LogSegments.Begun
        do throws(StorageError) {
            begun = try segmentFiles.begin(
                chunk.segment,
                previousEnd: chunk.previousEnd,
                sequence: chunk.firstSequence,
                spare: spare
            )
        } catch {
            if case .diskFull = error {
                do throws(StorageError) {
                    try segmentFiles.discard(chunk.segment)
                } catch {
                    poison("a segment that could not be begun could not be removed: \(error)")
                    throw error
                }
            }
            throw error
        }
        let old = writer.file
        if writer.isUnsynced {
            writer.left.append((writer.segment, old))
        } else {
            try orPoison { () throws(FileSystemError) in try old.close() }
        }
        writer.hasNewNames = true
        writer.file = begun.file
        writer.segment = chunk.segment
        writer.isUnsynced = true
        buffer.withLock { buffer in
            buffer.began(chunk, allocated: begun.allocated)
            if spare != nil { buffer.statistics.recycled += 1 }
        }
    }

    /// Drops what could not be written, and goes on behind what was.
    ///
    /// Bytes of the dropped batches may stay behind the end, whole ones even: until they are
    /// written over recovery may find them, never behind a batch that came later, since numbers
    /// only grow.
    private func takeBack(
        _ writer: inout Writer,
        _ reason: FileSystemError,
        syncing: Bool
    ) throws(StorageError) {
        let file = writer.file
        let offset = buffer.withLock { Int($0.written.offset) }
        try orPoison { () throws(FileSystemError) in try file.rewind(to: offset) }
        hasTakenBack.store(true, ordering: .releasing)
        buffer.withLock { buffer in
            // Batches that were written before are durable with the next sync.
            if !writer.isUnsynced { buffer.synced() }
            buffer.drop(reason)
            buffer.statistics.takenBack += 1
        }
        if syncing { try sync(&writer) }
    }

    /// Does what leaves the disk in an unknown state when it fails.
    private func orPoison(_ body: () throws(FileSystemError) -> Void) throws(StorageError) {
        do {
            try body()
        } catch {
            poison("the log could not be written: \(error)")
            throw StorageError(error)
        }
    }
}
