import ByteCoding
import Causality
import ClusterPrimitives
import FileSystems
import ObjectStorage
import Partitioning
import Replication
import Testing

@Suite struct `Node state` {
    private static func founding(
        cluster: String = "test",
        nodes: Int = 3
    ) throws -> Topology {
        try Topology.founding(
            cluster: cluster,
            members: (1...nodes).map {
                FoundingMember(
                    name: "n\($0)",
                    datacenter: "dc1",
                    rack: "r1",
                    peer: Endpoint(host: "a", port: UInt16($0)),
                    client: Endpoint(host: "b", port: UInt16($0))
                )
            }
        )
    }

    private static func actor(_ number: UInt8) -> ActorID {
        let word = UInt64(number) &* 0x0101_0101_0101_0101
        return ActorID(high: word, low: word)
    }

    private static func open(
        _ disk: any FileSystem,
        name: String = "n1",
        founding: Topology? = nil,
        _ number: UInt8 = 1
    ) throws(NodeStateError) -> (NodeStateStore, NodeStateStore.Opened) {
        let given = try? Self.founding()
        guard let founding = founding ?? given else {
            throw .notOurs(directory: "", what: "the test's topology is wrong")
        }
        return try NodeStateStore.open(
            directory: "/node",
            on: disk,
            name: name,
            founding: founding,
            randomBytes: [UInt8](repeating: number, count: 16)
        )
    }

    /// All files and their bytes.
    private static func contents(_ disk: InMemoryFileSystem) throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in try disk.list("/node") {
            let path = "/node/\(name)"
            let size = try disk.size(of: path)
            contents[name] = try disk.openForReading(path).read(at: 0, count: size)
        }
        return contents
    }

    @Test func `of a new node is its founding, its first start and nothing promised`() throws {
        let (store, opened) = try Self.open(InMemoryFileSystem())
        #expect(opened.lives.current.start == 1)
        #expect(opened.lives.current.actor == Self.actor(1))
        #expect(opened.lostLife == 0)
        #expect(opened.incarnations == PeerIncarnations())
        #expect(opened.topology == (try Self.founding()))
        let nothing = RegisterAcceptor(initial: try Self.founding().encode())
        #expect(opened.acceptor == nothing)
        #expect(opened.clockBound == .zero)
        store.close()
    }

    @Test func `counts starts and keeps what was saved`() throws {
        let disk = InMemoryFileSystem()
        let (first, before) = try Self.open(disk)
        let next = try Self.founding().creating(
            KeyspaceDefinition(name: "k", replication: [.init(datacenter: "dc1", replicas: 1)])
        )
        var acceptor = RegisterAcceptor(initial: [1, 2])
        _ = acceptor.prepare(Ballot(counter: 7, node: NodeID(2)))
        try first.save(.clockBound(HybridTimestamp(rawValue: 99)))
        try first.save(.topology(next.encode()))
        try first.save(.acceptor(acceptor.encode()))
        var seen = PeerIncarnations()
        _ = seen.note(Incarnation(start: 8, actor: Self.actor(9)), of: NodeID(2))
        try first.save(.incarnations(seen.encode()))
        first.close()
        for start in 2...4 as ClosedRange<UInt64> {
            let (store, opened) = try Self.open(disk, UInt8(start))
            #expect(opened.lives.current.start == start)
            #expect(opened.lives.current.actor == Self.actor(UInt8(start)))
            #expect(opened.incarnations == seen)
            #expect(opened.engineIdentity == before.engineIdentity)
            #expect(opened.topology == next)
            #expect(opened.acceptor == acceptor)
            #expect(opened.clockBound == HybridTimestamp(rawValue: 99))
            store.close()
        }
    }

    @Test func `of a node that lost a life begins above it, and stays so`() throws {
        let disk = InMemoryFileSystem()
        let (first, _) = try Self.open(disk)
        try first.save(.lostLife(7))
        try first.save(.lostLife(5))
        first.close()
        for start in 8...9 as ClosedRange<UInt64> {
            let (store, opened) = try Self.open(disk, UInt8(start))
            #expect(opened.lives.current.start == start)
            #expect(opened.lostLife == 7)
            store.close()
        }
    }

    @Test func `of another node, cluster or founding is refused and left as it was`() throws {
        let disk = InMemoryFileSystem()
        try Self.open(disk).0.close()
        let before = try Self.contents(disk)
        let others: [(String, Topology, String)] = [
            ("n2", try Self.founding(), "belongs to node n1"),
            ("n1", try Self.founding(cluster: "other"), "another cluster"),
            ("n1", try Self.founding(nodes: 4), "another"),
        ]
        for (name, founding, what) in others {
            #expect {
                try Self.open(disk, name: name, founding: founding)
            } throws: { error in
                guard case .notOurs("/node", let why)? = error as? NodeStateError else {
                    return false
                }
                return why.contains(what)
            }
            #expect(try Self.contents(disk) == before)
        }
        // The refusals gave the lock back.
        try Self.open(disk).0.close()
    }

    @Test func `in a directory that holds other things is refused`() throws {
        let disk = InMemoryFileSystem()
        try disk.createDirectory("/node")
        let file = try disk.openForAppending("/node/holiday.jpg", .createNew)
        try file.sync()
        #expect {
            try Self.open(disk)
        } throws: { error in
            "\(error)".contains("holiday.jpg")
        }
        #expect(try disk.list("/node").contains("holiday.jpg"))
    }

    @Test func `in use is refused with the holder named`() throws {
        let disk = InMemoryFileSystem()
        let (store, _) = try Self.open(disk)
        #expect {
            try Self.open(disk)
        } throws: { error in
            guard case .inUse("/node", _)? = error as? NodeStateError else { return false }
            return true
        }
        store.close()
        try Self.open(disk).0.close()
    }

    @Test(arguments: ["identity", "start", "clock", "acceptor", "topology"])
    func `with any bit of a file turned is refused and the file named`(_ name: String) throws {
        let disk = InMemoryFileSystem()
        let (store, _) = try Self.open(disk)
        try store.save(.clockBound(HybridTimestamp(rawValue: 5)))
        try store.save(.acceptor(RegisterAcceptor(initial: [1]).encode()))
        store.close()
        let path = "/node/\(name)"
        for byte in 0..<(try disk.size(of: path)) {
            // The start file is written anew at every start that gets so far.
            var random = SeededRandom(seed: 1)
            let copy = disk.crashClone(random: &random)
            try copy.flipBit(byte * 8 + byte % 8, in: path)
            #expect("byte \(byte)") {
                try Self.open(copy)
            } throws: { error in
                "\(error)".contains(path)
            }
        }
    }

    @Test(arguments: ["start", "clock", "acceptor", "topology"])
    func `with a file missing is refused and the file named`(_ name: String) throws {
        let disk = InMemoryFileSystem()
        try Self.open(disk).0.close()
        try disk.remove("/node/\(name)")
        #expect {
            try Self.open(disk)
        } throws: { error in
            "\(error)".contains("/node/\(name) is damaged: it is missing")
        }
    }

    @Test func `that was being made when the machine crashed is made again`() throws {
        for operation in [FileSystemError.Operation.append, .sync, .rename] {
            for number in 1...5 {
                var random = SeededRandom(seed: UInt64(number))
                let disk = InMemoryFileSystem()
                let faults = FaultyFileSystem(disk)
                faults.add(FaultRule(operation, first: number, times: .max, .inputOutputError))
                #expect(throws: NodeStateError.self) { try Self.open(faults) }
                let (_, opened) = try Self.open(disk.crashClone(random: &random), 2)
                #expect(opened.lives.current.start == 1, "\(operation) \(number)")
            }
        }
    }

    @Test(arguments: ["identity", "start", "clock", "acceptor", "topology"])
    func `with a file cut short is refused and the file named`(_ name: String) throws {
        let disk = InMemoryFileSystem()
        let (store, _) = try Self.open(disk)
        try store.save(.clockBound(HybridTimestamp(rawValue: 5)))
        try store.save(.acceptor(RegisterAcceptor(initial: [1]).encode()))
        store.close()
        let path = "/node/\(name)"
        for count in 0..<(try disk.size(of: path)) {
            var random = SeededRandom(seed: 1)
            let copy = disk.crashClone(random: &random)
            try copy.truncate(path, to: count)
            #expect("\(count) bytes") {
                try Self.open(copy)
            } throws: { error in
                "\(error)".contains(path)
            }
        }
    }

    @Test func `after a crash while saving is the old or the new, never neither`() throws {
        for seed in 0..<60 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let disk = InMemoryFileSystem()
            let (store, _) = try Self.open(disk)
            try store.save(.clockBound(HybridTimestamp(rawValue: 1)))
            let faults = FaultyFileSystem(disk)
            store.close()
            let (broken, _) = try Self.open(faults, 2)
            let operation = random.pick([
                FileSystemError.Operation.append, .sync, .rename, .syncDirectory,
            ])
            faults.add(
                FaultRule(operation, times: 1, random.pick([.inputOutputError, .noSpace]))
            )
            let isSaved = (try? broken.save(.clockBound(HybridTimestamp(rawValue: 2)))) != nil
            #expect(!isSaved, "seed \(seed)")
            let (_, opened) = try Self.open(disk.crashClone(random: &random), 3)
            #expect([1, 2].contains(opened.clockBound.rawValue), "seed \(seed)")
            #expect(opened.lives.current.start == 3, "seed \(seed)")
        }
    }

    @Test func `that was saved survives a crash at once`() throws {
        for seed in 0..<40 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let disk = InMemoryFileSystem()
            let (store, _) = try Self.open(disk)
            for stamp in 1...5 as ClosedRange<UInt64> {
                try store.save(.clockBound(HybridTimestamp(rawValue: stamp)))
                let (_, opened) = try Self.open(disk.crashClone(random: &random), 2)
                #expect(opened.clockBound.rawValue == stamp, "seed \(seed)")
                #expect(opened.lives.current.start == 2)
            }
        }
    }

    @Test func `a node knows its earlier lives on the disk, the latest 256`() throws {
        let disk = InMemoryFileSystem()
        for number in 1...4 as ClosedRange<UInt8> {
            let (store, opened) = try Self.open(disk, number)
            #expect(
                opened.lives.earlier
                    == (1..<number).map {
                        Incarnation(start: UInt64($0), actor: Self.actor($0))
                    }
            )
            store.close()
        }
        for _ in 0..<300 {
            let (store, opened) = try Self.open(disk, 9)
            #expect(opened.lives.earlier.count <= 256)
            store.close()
        }
        let (store, opened) = try Self.open(disk, 10)
        #expect(opened.lives.earlier.map(\.start) == Array(49...304))
        #expect(opened.lives.earlier.allSatisfy { $0.actor == Self.actor(9) })
        store.close()
    }
}
