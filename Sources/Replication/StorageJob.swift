package import ByteCoding
package import Causality
package import ClusterPrimitives

/// Who waits for a storage job, and how its result finds the way back.
package struct JobOrigin: Equatable, Sendable {
    /// The way the result goes.
    package enum Route: UInt8, Sendable {
        /// To an open request of the lane itself; `correlation` is its id.
        case request
        /// In a frame on the inbound connection that the lane encoded in `target`.
        case connection
        /// In a frame on this node's own link to node `target`: the origin of a relayed write.
        case link
    }

    /// The way the result goes.
    package var route: Route
    /// A connection or a node, by the route.
    package var target: UInt32
    /// The request's correlation.
    package var correlation: UInt64

    /// An origin with these parts.
    package init(route: Route, target: UInt32, correlation: UInt64) {
        self.route = route
        self.target = target
        self.correlation = correlation
    }
}

/// Why a replica is asked to take a record.
package enum WritePurpose: UInt8, Sendable {
    // On the wire: never renumber.
    /// A client's write: refused when stamped too far ahead, told when it is shadowed.
    case foreground = 0
    /// A copy of a stored version, brought by read repair: always merged.
    case repair = 1
}

/// What a lane asks of its store.
///
/// Ranges lie in the effects' payload.
package struct StorageJob: Sendable {
    /// The work.
    package enum Work: Sendable {
        /// Merge a record into a key.
        case write(key: ByteRange, record: ByteRange, version: Version, purpose: WritePurpose)
        /// Read a key's record, or only its digest.
        case read(key: ByteRange, contents: ReadContents)
        /// Read the records of a token range.
        case scan(ReplicaScan)
        /// Read a key's record, change it, and write it back, before any other update of the key.
        case update(KeyUpdate)
        /// As an update that puts a value into a set of siblings, or a deletion.
        case put(SiblingPut)
    }

    /// Who waits for it.
    package var origin: JobOrigin
    /// The keyspace.
    package var keyspace: KeyspaceNumber
    /// The key's token with its sign bit flipped, which is the storage prefix; in a scan unused.
    package var token: UInt64
    /// The work.
    package var work: Work

    /// A job with these parts.
    package init(origin: JobOrigin, keyspace: KeyspaceNumber, token: UInt64, work: Work) {
        self.origin = origin
        self.keyspace = keyspace
        self.token = token
        self.work = work
    }
}

/// A change that this node makes to its own copy of a key, to be passed on to the others.
///
/// Once it is asked for it belongs to the store, which gives it back where the lane may go on with
/// it.
package final class KeyUpdate: Sendable {
    /// The key.
    package let key: [UInt8]
    /// What is done.
    package let change: RecordUpdate
    /// What the writer has seen; nil where it said nothing.
    package let context: CausalContext?
    /// The stamp of the write.
    package let version: Version
    /// The coordinator's time.
    package let wall: WallClockTime
    /// What the other replicas hold, joined, empty where they hold nothing; nil where they were
    /// not asked.
    package let base: [UInt8]?
    /// Operations' ids of counters from before this are not needed any more.
    package let idsFrom: HybridTimestamp

    /// An update of these parts.
    package init(
        key: [UInt8],
        change: RecordUpdate,
        context: CausalContext?,
        version: Version,
        wall: WallClockTime,
        base: [UInt8]? = nil,
        idsFrom: HybridTimestamp = .zero
    ) {
        self.key = key
        self.change = change
        self.context = context
        self.version = version
        self.wall = wall
        self.base = base
        self.idsFrom = idsFrom
    }
}

/// An update of siblings while its turn lasts: in most cases it is over before anything of it
/// would have to be kept.
package struct SiblingPut: Sendable {
    /// The key.
    package var key: [UInt8]
    /// The value, which lies in the effects' payload, or a deletion.
    package var write: SiblingWrite
    /// What the writer has seen; nil where it said nothing.
    package var context: CausalContext?
    /// The coordinator's time.
    package var wall: WallClockTime

    /// A put of these parts.
    package init(
        key: [UInt8],
        write: SiblingWrite,
        context: CausalContext?,
        wall: WallClockTime
    ) {
        self.key = key
        self.write = write
        self.context = context
        self.wall = wall
    }

    /// The same as an update that can be kept.
    package func update(of payload: RawSpan) -> KeyUpdate {
        let value = payload.array(write.value)
        return KeyUpdate(
            key: key,
            change: write.isTombstone ? .delete : .put(value: value, expiry: write.expiry),
            context: context,
            version: write.version,
            wall: wall
        )
    }
}

/// What became of an update of this node's own copy.
package enum UpdateResult: Sendable {
    /// Its record is durable here, and can be read.
    case applied(record: ArraySlice<UInt8>, UpdateAnswer)
    /// There was nothing to do; `record` is the copy as it is.
    case unchanged(KeyUpdate, record: [UInt8], UpdateAnswer)
    /// Nothing was applied; `record` is the copy as it is.
    case refused(KeyUpdate, UpdateRefusal, record: [UInt8])
    /// Nothing was applied: this node does not know what it held of the key.
    case unreadable(KeyUpdate)
    /// As a write of this status, none of which is `applied` or `shadowed`.
    case notTaken(WriteStatus)
}

/// What a read brings back.
package enum ReadContents: UInt8, Sendable {
    // On the wire: never renumber.
    /// The whole record.
    case record = 0
    /// Its digest and version.
    case digest = 1
}

/// Which records of a token range a replica is asked for.
///
///     scan := from: cursor, through: uint64, entries: uint32, size: uint32, prefix: bytes
package struct ReplicaScan: Equatable, Sendable {
    /// First token, sign bit flipped.
    package var fromToken: UInt64
    /// The key after which to begin at that token; nil begins with all its keys.
    package var after: [UInt8]?
    /// Last token, inclusive, sign bit flipped.
    package var throughToken: UInt64
    /// The most records to return.
    package var maximumEntries: UInt32
    /// The most bytes of records to return; one record may exceed it.
    package var maximumSize: UInt32
    /// Only keys that begin with these bytes.
    package var prefix: [UInt8]

    /// A scan with these parts.
    package init(
        fromToken: UInt64,
        after: [UInt8]?,
        throughToken: UInt64,
        maximumEntries: UInt32,
        maximumSize: UInt32,
        prefix: [UInt8]
    ) {
        self.fromToken = fromToken
        self.after = after
        self.throughToken = throughToken
        self.maximumEntries = maximumEntries
        self.maximumSize = maximumSize
        self.prefix = prefix
    }
}

/// What became of a write at one replica.
package enum WriteStatus: UInt8, Sendable {
    // On the wire: never renumber.
    /// It is durable here and nothing newer was in its way.
    case applied = 1
    /// It is durable here, but a newer version hides it.
    case shadowed = 2
    /// Nothing was applied: its stamp lies too far ahead of this node's clock.
    case refusedClock = 3
    /// Nothing was applied: a bound is reached.
    case overloaded = 4
    /// It cannot be said whether it was applied: the disk failed.
    case failed = 5
    /// Nothing was applied: this node does not know the keyspace.
    case unknownKeyspace = 6
    /// Nothing was applied: the disk has less room than its reserve, which is for deletions and
    /// compaction.
    case noRoom = 7

    /// Whether it is certain that the replica applied nothing.
    package var isRefusal: Bool {
        switch self {
        case .refusedClock, .overloaded, .unknownKeyspace, .noRoom: true
        case .applied, .shadowed, .failed: false
        }
    }
}

/// What a read found at one replica.
package enum ReadStatus: UInt8, Sendable {
    // On the wire: never renumber.
    /// A record, perhaps a tombstone.
    case found = 1
    /// Nothing was ever stored.
    case absent = 2
    /// The replica does not know: damaged or unreadable data. It never counts as an answer.
    case unknown = 3
    /// A bound is reached.
    case overloaded = 4
}

/// A record that a scan brings, with its key.
package struct ScannedRecord: Equatable, Sendable {
    /// The key's token, sign bit flipped.
    package var token: UInt64
    /// The key.
    package var key: [UInt8]
    /// The encoded record.
    package var record: [UInt8]

    /// A record with its key.
    package init(token: UInt64, key: [UInt8], record: [UInt8]) {
        self.token = token
        self.key = key
        self.record = record
    }
}

/// A replica's answer to a scan.
package struct ReplicaPage: Equatable, Sendable {
    /// Whether the replica could read; if not, the rest says nothing.
    package var status: ReadStatus
    /// Records in (token, key) order, tombstones included.
    package var records: [ScannedRecord]
    /// Whether the range is read to its end; if not, it is read through the last record.
    package var isComplete: Bool
    /// Token and key through which it was read, where it is not complete.
    package var coveredToken: UInt64
    /// The key at that token.
    package var coveredKey: [UInt8]

    /// A page with these parts.
    package init(
        status: ReadStatus,
        records: [ScannedRecord],
        isComplete: Bool,
        coveredToken: UInt64 = 0,
        coveredKey: [UInt8] = []
    ) {
        self.status = status
        self.records = records
        self.isComplete = isComplete
        self.coveredToken = coveredToken
        self.coveredKey = coveredKey
    }
}

/// The result of a storage job, for the lane that asked.
package enum StorageResult: Sendable {
    /// A write's, with the version that was written; `shadow` is the version that hides it,
    /// `Version.zero` if none.
    case written(JobOrigin, WriteStatus, version: Version, shadow: Version)
    /// A read's; `record` is the encoded record, empty where there is none or only the digest
    /// was asked for.
    case read(
        JobOrigin,
        ReadStatus,
        contents: ReadContents,
        digest: UInt64,
        version: Version,
        record: [UInt8]
    )
    /// A scan's.
    case scanned(JobOrigin, ReplicaPage)
    /// An update's, whose origin is always a request.
    case updated(JobOrigin, UpdateResult)

    /// Who asked for the job.
    package var origin: JobOrigin {
        switch self {
        case .written(let origin, _, _, _): origin
        case .read(let origin, _, _, _, _, _): origin
        case .scanned(let origin, _): origin
        case .updated(let origin, _): origin
        }
    }

    /// The lane that asked, where the result may turn up on another one's way: an update's.
    package var lane: UInt8? {
        guard case .updated(let origin, _) = self else { return nil }
        return RequestID(rawValue: origin.correlation).lane
    }
}
