import ByteCoding
package import Causality
import ClusterPrimitives
package import FileSystems
package import Partitioning
package import Replication
import Synchronization

/// What a node must remember besides its data: who it is, how often it started, how far its clock
/// may go, what its acceptor promised, and the newest topology.
///
/// Each is a small file in the data directory, replaced as a whole:
///
///     file := magic: uint32 "SNST", version: uint8 = 1, kind: uint8, payload: bytes behind
///             uint32, checksum: uint32 (CRC-32C of all before)
///
/// A new file is written under a temporary name, synced, renamed, and its name synced.
package final class NodeStateStore: Sendable {
    /// What is kept; each kind has a file of its own.
    private enum Kind: UInt8, CaseIterable {
        // On disk: never renumber.
        case identity = 1
        case start = 2
        case clockBound = 3
        case acceptor = 4
        case topology = 5
        case incarnations = 6

        var fileName: String {
            switch self {
            case .identity: "identity"
            case .start: "start"
            case .clockBound: "clock"
            case .acceptor: "acceptor"
            case .topology: "topology"
            case .incarnations: "incarnations"
            }
        }
    }

    /// What a node finds when it opens its state.
    package struct Opened: Sendable {
        /// This life of the node, and those before it on this disk.
        package let lives: NodeLives
        /// The start number of the latest life that the disk is known to lack; 0 for none.
        package let lostLife: UInt64
        /// The highest incarnations that it has seen of the others.
        package let incarnations: PeerIncarnations
        /// Ties the storage engine's files to this directory.
        package let engineIdentity: UInt64
        /// The newest topology on disk.
        package let topology: Topology
        /// What its acceptor promised.
        package let acceptor: RegisterAcceptor
        /// The clock's bound; `zero` on a new node.
        package let clockBound: HybridTimestamp
    }

    /// What is to be made durable.
    package enum Content: Sendable {
        /// The clock's upper bound.
        case clockBound(HybridTimestamp)
        /// The acceptor's state, encoded.
        case acceptor([UInt8])
        /// The topology, encoded.
        case topology([UInt8])
        /// The highest incarnations that were seen of the others, encoded.
        case incarnations([UInt8])
        /// That a life of the node is lost, by its start number; the next will have a higher one.
        case lostLife(UInt64)
    }

    /// What `start` holds: this life, the latest that is lost, 0 for none, and earlier lives.
    private struct Start {
        var incarnation: Incarnation
        var lost: UInt64
        var earlier: [Incarnation] = []
    }

    private static let magic: UInt32 = 0x5453_4E53
    private static let version: UInt8 = 1
    private static let maximumSize = RegisterAcceptor.maximumValueSize + 1024

    private let directory: String
    private let fileSystem: any FileSystem
    private let lock: any FileLock
    private let writing = Mutex(())
    private let start = Mutex(Start(incarnation: nobody, lost: 0))
    private static let nobody = Incarnation(start: 0, actor: ActorID(high: 0, low: 0))

    private init(directory: String, fileSystem: any FileSystem, lock: any FileLock) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.lock = lock
    }

    /// Opens a node's state, makes it if there is none, and begins a new incarnation.
    ///
    /// - `directory`: the data directory; made if it is missing.
    /// - `name`: the node's name.
    /// - `founding`: the founding topology that the node was given.
    /// - `randomBytes`: 16 fresh bytes that nobody can guess.
    /// - Throws: what is wrong with the directory: in use, damaged, or another node's.
    package static func open(
        directory: String,
        on fileSystem: any FileSystem,
        name: String,
        founding: Topology,
        randomBytes: [UInt8]
    ) throws(NodeStateError) -> (NodeStateStore, Opened) {
        let lock: any FileLock
        do {
            try fileSystem.createDirectory(directory)
            lock = try fileSystem.lock("\(directory)/LOCK")
        } catch {
            if case .locked(let holder) = error.reason {
                throw .inUse(directory: directory, holder: holder)
            }
            throw .io(error)
        }
        let store = NodeStateStore(directory: directory, fileSystem: fileSystem, lock: lock)
        do {
            return (store, try store.begin(name, founding, randomBytes))
        } catch {
            lock.release()
            throw error
        }
    }

    private func begin(
        _ name: String,
        _ founding: Topology,
        _ randomBytes: [UInt8]
    ) throws(NodeStateError) -> Opened {
        let identity = try confirmIdentity(name, founding, randomBytes)
        var start = try lastStart()
        let topology: Topology
        do {
            topology = try Topology(decoding: try required(.topology))
        } catch let error as CodingError {
            throw .damaged(file: path(.topology), what: "\(error)")
        } catch {
            throw error as? NodeStateError ?? .damaged(file: path(.topology), what: "\(error)")
        }
        let acceptor: RegisterAcceptor
        do {
            acceptor = try RegisterAcceptor(decoding: try required(.acceptor))
        } catch let error as CodingError {
            throw .damaged(file: path(.acceptor), what: "\(error)")
        } catch {
            throw error as? NodeStateError ?? .damaged(file: path(.acceptor), what: "\(error)")
        }
        let bound = try required(.clockBound)
        var reader = ByteReader(over: bound.span.bytes)
        guard let rawBound = try? reader.uint64(in: bound.span.bytes) else {
            throw .damaged(file: path(.clockBound), what: "no timestamp")
        }
        let seen = try required(.incarnations)
        let incarnations: PeerIncarnations
        do throws(CodingError) {
            incarnations = try PeerIncarnations(decoding: seen)
        } catch {
            throw .damaged(file: path(.incarnations), what: "\(error)")
        }
        // Only now, so that a start that is refused is none.
        if start.incarnation != Self.nobody {
            start.earlier.append(start.incarnation)
            start.earlier = start.earlier.suffix(NodeLives.maximumEarlier)
        }
        start.incarnation = Incarnation(
            start: max(start.incarnation.start, start.lost) + 1,
            actor: Self.actor(randomBytes)
        )
        try saveStart(start)
        let clockBound = HybridTimestamp(rawValue: rawBound)
        return Opened(
            lives: NodeLives(start.incarnation, earlier: start.earlier),
            lostLife: start.lost,
            incarnations: incarnations,
            engineIdentity: identity,
            topology: topology,
            acceptor: acceptor,
            clockBound: clockBound
        )
    }

    /// What shows that a directory with these names is no node's; nil where it is one, or where
    /// nothing is lost if it is taken for one.
    package static func foreignName(among names: [String]) -> String? {
        if names.contains(Kind.identity.fileName) { return nil }
        // A node that crashed while it was made leaves some of its files, but no identity.
        let ours = Kind.allCases.map(\.fileName)
        return names.first { $0 != "LOCK" && !$0.hasSuffix(".new") && !ours.contains($0) }
    }

    /// Checks that the directory is this node's, or makes it so where it is empty.
    ///
    /// - Returns: the engine's identity.
    private func confirmIdentity(
        _ name: String,
        _ founding: Topology,
        _ randomBytes: [UInt8]
    ) throws(NodeStateError) -> UInt64 {
        guard let payload = try load(.identity) else {
            let others = try onDisk { () throws(FileSystemError) in
                try fileSystem.list(directory)
            }
            if let other = Self.foreignName(among: others) {
                throw .notOurs(directory: directory, what: "it holds \(other), but no identity")
            }
            // Else a crash of the machine could take the whole directory, and with it all that
            // was acknowledged.
            try onDisk { () throws(FileSystemError) in
                try fileSystem.syncDirectory(Self.parent(of: directory))
            }
            try saveStart(Start(incarnation: Self.nobody, lost: 0))
            try save(.incarnations, PeerIncarnations().encode())
            let encoded = founding.encode()
            try save(.topology, encoded)
            try save(.acceptor, RegisterAcceptor(initial: encoded).encode())
            try save(.clockBound(.zero))
            // Last: from here on all files must be there.
            let engine = Hash64.hash(randomBytes, seed: 1)
            var writer = ByteWriter()
            writer.string(name)
            writer.prefixed(founding.clusterIdentifier)
            writer.prefixed(founding.foundingDigest)
            writer.uint64(engine)
            try save(.identity, writer.bytes)
            return engine
        }
        let bytes = payload.span.bytes
        var reader = ByteReader(over: bytes)
        do {
            let owner = try reader.string(in: bytes, limit: 256)
            let cluster = bytes.array(try reader.prefixed(in: bytes, limit: 64))
            let digest = bytes.array(try reader.prefixed(in: bytes, limit: 64))
            let engine = try reader.uint64(in: bytes)
            if cluster != founding.clusterIdentifier {
                throw NodeStateError.notOurs(
                    directory: directory,
                    what: "it belongs to another cluster"
                )
            }
            if owner != name {
                throw NodeStateError.notOurs(
                    directory: directory,
                    what: "it belongs to node \(owner), not to \(name)"
                )
            }
            if digest != founding.foundingDigest {
                throw NodeStateError.notOurs(
                    directory: directory,
                    what: "it was founded with another topology file"
                )
            }
            return engine
        } catch let error as NodeStateError {
            throw error
        } catch {
            throw .damaged(file: path(.identity), what: "\(error)")
        }
    }

    /// Makes something durable; returns when it is.
    package func save(_ content: Content) throws(NodeStateError) {
        switch content {
        case .clockBound(let bound):
            var writer = ByteWriter()
            writer.uint64(bound.rawValue)
            try save(.clockBound, writer.bytes)
        case .acceptor(let bytes):
            try save(.acceptor, bytes)
        case .topology(let bytes):
            try save(.topology, bytes)
        case .incarnations(let bytes):
            try save(.incarnations, bytes)
        case .lostLife(let lost):
            var known = start.withLock { $0 }
            known.lost = max(known.lost, lost)
            try saveStart(known)
        }
    }

    /// Gives the directory back.
    package func close() {
        lock.release()
    }

    // MARK: Files

    /// The directory in which a directory's name lies.
    private static func parent(of directory: String) -> String {
        var path = directory[...]
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private func path(_ kind: Kind) -> String { "\(directory)/\(kind.fileName)" }

    private func onDisk<Value>(
        _ body: () throws(FileSystemError) -> Value
    ) throws(NodeStateError) -> Value {
        do { return try body() } catch { throw .io(error) }
    }

    private static func actor(_ randomBytes: [UInt8]) -> ActorID {
        var words: (high: UInt64, low: UInt64) = (0, 0)
        for byte in randomBytes {
            words = (words.high << 8 | words.low >> 56, words.low << 8 | UInt64(byte))
        }
        return ActorID(high: words.high, low: words.low)
    }

    private func saveStart(_ start: Start) throws(NodeStateError) {
        var writer = ByteWriter()
        writer.incarnation(start.incarnation)
        writer.uint64(start.lost)
        writer.uint32(UInt32(start.earlier.count))
        for life in start.earlier { writer.incarnation(life) }
        try save(.start, writer.bytes)
        self.start.withLock { $0 = start }
    }

    private func lastStart() throws(NodeStateError) -> Start {
        let payload = try required(.start)
        let bytes = payload.span.bytes
        var reader = ByteReader(over: bytes)
        do throws(CodingError) {
            var start = Start(
                incarnation: try reader.incarnation(in: bytes),
                lost: try reader.uint64(in: bytes, "lost life")
            )
            let limit = NodeLives.maximumEarlier
            for _ in 0..<(try reader.count(in: bytes, limit: limit, "earlier lives")) {
                start.earlier.append(try reader.incarnation(in: bytes))
            }
            try reader.finish()
            guard max(start.incarnation.start, start.lost) < .max else {
                throw .invalid(field: "start number", value: .max)
            }
            return start
        } catch {
            throw .damaged(file: path(.start), what: "\(error)")
        }
    }

    /// What a file holds that every node has.
    private func required(_ kind: Kind) throws(NodeStateError) -> [UInt8] {
        guard let payload = try load(kind) else {
            throw .damaged(file: path(kind), what: "it is missing")
        }
        return payload
    }

    private func load(_ kind: Kind) throws(NodeStateError) -> [UInt8]? {
        let path = path(kind)
        let found = try onDisk { () throws(FileSystemError) -> [UInt8]? in
            guard try fileSystem.exists(path) else { return nil }
            let size = try fileSystem.size(of: path)
            let count = min(size, Self.maximumSize)
            return try fileSystem.openForReading(path).read(at: 0, count: count)
        }
        guard let bytes = found else { return nil }
        guard bytes.count >= 14 else { throw .damaged(file: path, what: "it is too short") }
        let span = bytes.span.bytes
        let checked = ByteRange(offset: 0, count: bytes.count - 4)
        var trailer = ByteReader(ByteRange(offset: bytes.count - 4, count: 4))
        let expected = try? trailer.uint32(in: span)
        guard expected == CRC32C.checksum(span.array(checked)) else {
            throw .damaged(file: path, what: "its checksum does not match")
        }
        var reader = ByteReader(checked)
        guard (try? reader.uint32(in: span)) == Self.magic,
            let version = try? reader.uint8(in: span),
            let rawKind = try? reader.uint8(in: span)
        else { throw .damaged(file: path, what: "it is no state file") }
        guard version == Self.version else {
            throw .unsupportedVersion(file: path, found: version, known: Self.version)
        }
        guard rawKind == kind.rawValue,
            let payload = try? reader.prefixed(in: span, limit: Self.maximumSize),
            reader.remaining == 0
        else { throw .damaged(file: path, what: "it holds something else") }
        return span.array(payload)
    }

    private func save(_ kind: Kind, _ payload: [UInt8]) throws(NodeStateError) {
        var writer = ByteWriter(capacity: payload.count + 16)
        writer.uint32(Self.magic)
        writer.uint8(Self.version)
        writer.uint8(kind.rawValue)
        writer.prefixed(payload)
        writer.uint32(CRC32C.checksum(writer.bytes))
        let path = path(kind)
        let bytes = writer.bytes
        let outcome = writing.withLock { _ in
            Result { () throws(FileSystemError) in try replace(path, with: bytes) }
        }
        if case .failure(let error) = outcome { throw .io(error) }
    }

    private func replace(_ path: String, with bytes: [UInt8]) throws(FileSystemError) {
        let temporary = path + ".new"
        if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
        let file = try fileSystem.openForAppending(temporary, .createNew)
        try file.append(bytes.span.bytes)
        try file.sync()
        try file.close()
        try fileSystem.rename(temporary, to: path)
        try fileSystem.syncDirectory(directory)
    }
}

/// Why a node's state could not be opened or kept.
package enum NodeStateError: Error, Sendable {
    /// Another process holds the data directory.
    case inUse(directory: String, holder: String)
    /// The data directory is another node's, another cluster's, or no node's.
    case notOurs(directory: String, what: String)
    /// A file is not what was written.
    case damaged(file: String, what: String)
    /// A file was written by another version.
    case unsupportedVersion(file: String, found: UInt8, known: UInt8)
    /// A call to the file system failed.
    case io(FileSystemError)
}

extension NodeStateError: CustomStringConvertible {
    /// What went wrong, and what to do.
    package var description: String {
        switch self {
        case .inUse(let directory, let holder):
            "the data directory \(directory) is in use by \(holder); stop that process first"
        case .notOurs(let directory, let what):
            "the data directory \(directory) cannot be used: \(what); give this node its own"
        case .damaged(let file, let what):
            "\(file) is damaged: \(what); restore the file, or replace the node"
        case .unsupportedVersion(let file, let found, let known):
            "\(file) has format version \(found), this program knows \(known); use the newer one"
        case .io(let error):
            "\(error)"
        }
    }
}
