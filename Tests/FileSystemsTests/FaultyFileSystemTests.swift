import ClusterPrimitives
import FileSystems
import Testing

@Suite struct `A faulty disk` {
    private let base = InMemoryFileSystem()
    private let disk: FaultyFileSystem

    init() { disk = FaultyFileSystem(base) }

    @Test func `a rule makes the n-th call fail, and a short write leaves its first bytes`() throws
    {
        disk.add(FaultRule(.append, first: 2, times: 1, .shortWrite(bytes: 3)))
        disk.add(FaultRule(.sync, pathContains: "a", .inputOutputError))
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("one,")
        let error = #expect(throws: FileSystemError.self) { try file.append("two,") }
        #expect(error?.reason == .noSpace)
        try file.append("three")
        #expect(throws: FileSystemError.self) { try file.sync() }
        #expect(try disk.text("/a") == "one,twothree")
        disk.removeRules()
        try file.sync()
        disk.add(FaultRule(.read, .flipBit(0)))
        #expect(try disk.text("/a") == "nne,twothree")
        #expect(try bytes(of: disk.openForReading("/a"), at: 1, 3).read == Array("oe,".utf8))
    }

    @Test(arguments: FileSystemError.Operation.allCases)
    func `a rule makes any call fail with its operation and reason, and nothing is done`(
        operation: FileSystemError.Operation
    ) throws {
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("text")
        let reader = try disk.openForReading("/a")
        func call() throws {
            switch operation {
            case .openForAppending: _ = try disk.openForAppending("/a", .openExisting)
            case .openForOverwriting: _ = try disk.openForOverwriting("/a")
            case .openForReading: _ = try disk.openForReading("/a")
            case .read: _ = try bytes(of: reader, at: 0, 4)
            case .append: try file.append("more")
            case .extend: try file.extend(to: 100)
            case .sync: try file.sync()
            case .close: try file.close()
            case .list: _ = try disk.list("/")
            case .rename: try disk.rename("/a", to: "/b")
            case .link: try disk.link("/a", to: "/b")
            case .remove: try disk.remove("/a")
            case .createDirectory: try disk.createDirectory("/b")
            case .syncDirectory: try disk.syncDirectory("/")
            case .status: _ = try disk.size(of: "/a")
            case .truncate: try disk.truncate("/a", to: 1)
            case .freeSpace: _ = try disk.freeSpace(at: "/")
            case .lock: _ = try disk.lock("/b")
            }
        }
        let effects: [(FaultRule.Effect, FileSystemError.Reason)] = [
            (.inputOutputError, .failed), (.noSpace, .noSpace), (.shortWrite(bytes: 0), .noSpace),
        ]
        for (effect, reason) in effects {
            disk.add(FaultRule(operation, effect))
            let error = #expect(throws: FileSystemError.self) { try call() }
            #expect(error?.operation == operation)
            #expect(error?.reason == reason)
            disk.removeRules()
        }
        #expect(try base.list("/") == ["a"])
        #expect(try base.text("/a") == "text")
        try call()
    }

    @Test func `reading into new memory and asking for existence fail as well`() throws {
        try disk.make("/a", "text", in: "/")
        let reader = try disk.openForReading("/a")
        disk.add(FaultRule(.read, .inputOutputError))
        disk.add(FaultRule(.status, .inputOutputError))
        #expect(throws: FileSystemError.self) { try reader.read(at: 0, count: 4) }
        #expect(throws: FileSystemError.self) { try disk.exists("/a") }
    }

    @Test func `a lying sync of a file leaves its bytes to the crash`() throws {
        try disk.make("/a", "kept", in: "/")
        disk.add(FaultRule(.sync, .lyingSync))
        let file = try disk.openForAppending("/a", .openExisting)
        try file.append("lost")
        try file.sync()
        #expect(try outcomes { try $0.text("/a") }.contains("kept"))
        disk.removeRules()
        try file.sync()
        #expect(try outcomes { try $0.text("/a") } == ["keptlost"])
    }

    @Test func `a lying sync of a directory leaves its names to the crash`() throws {
        disk.add(FaultRule(.syncDirectory, .lyingSync))
        try disk.make("/a", "", in: "/")
        #expect(try outcomes { try $0.list("/") } == [[], ["a"]])
        disk.removeRules()
        try disk.syncDirectory("/")
        #expect(try outcomes { try $0.list("/") } == [["a"]])
    }

    @Test func `misdirected bytes land too early, and the right place gets zeros`() throws {
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("0123456789")
        disk.add(FaultRule(.append, times: 1, .misdirectedWrite(by: 6)))
        try file.append("abc")
        try file.append("xyz")
        #expect(try base.text("/a") == "0123abc789\0\0\0xyz")
    }

    @Test func `misdirected bytes that would land before the file are lost`() throws {
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("0")
        disk.add(FaultRule(.append, times: 2, .misdirectedWrite(by: 3)))
        try file.append("abc")
        #expect(try base.text("/a") == "c\0\0\0")
        disk.removeRules()
        disk.add(FaultRule(.append, times: 1, .misdirectedWrite(by: 100)))
        try file.append("d")
        #expect(try base.text("/a") == "c\0\0\0\0")
    }

    @Test func `bytes misdirected while overwriting leave the old ones in the right place`() throws
    {
        try disk.make("/a", "0123456789", in: "/")
        let file = try disk.openForOverwriting("/a")
        try file.append("ab")
        disk.add(FaultRule(.append, times: 1, .misdirectedWrite(by: -4)))
        try file.append("cd")
        try file.append("ef")
        #expect(try base.text("/a") == "ab23efcd89")
    }

    @Test func `bytes are misdirected through two layers and on the machine's files as well`()
        throws
    {
        try withTemporaryDirectory { directory in
            let outer = FaultyFileSystem(FaultyFileSystem(PosixFileSystem()))
            let file = try outer.openForAppending("\(directory)/a", .createNew)
            try file.append("0123")
            outer.add(FaultRule(.append, times: 1, .misdirectedWrite(by: 2)))
            try file.append("ab")
            try file.append("c")
            #expect(try outer.text("\(directory)/a") == "01ab\0\0c")
        }
    }

    @Test func `a misdirected append that fails leaves the next one in its place`() throws {
        base.setCapacity(10)
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("01234567")
        disk.add(FaultRule(.append, times: 1, .misdirectedWrite(by: 4)))
        let error = #expect(throws: FileSystemError.self) { try file.append("abc") }
        #expect(error?.reason == .noSpace)
        base.setCapacity(nil)
        try file.append("xy")
        #expect(try base.text("/a") == "01234567xy")
    }

    @Test func `a bit is turned in what is written, and only there`() throws {
        let file = try disk.openForAppending("/a", .createNew)
        try file.append("a")
        disk.add(FaultRule(.append, times: 1, .flipBitOnWrite(9)))
        try file.append("bbb")
        try file.append("c")
        disk.removeRules()
        for bit in [-1, 8] { disk.add(FaultRule(.append, .flipBitOnWrite(bit))) }
        try file.append("d")
        try file.append("d")
        #expect(try base.text("/a") == "ab`bcdd")
    }

    @Test func `effects of writing and syncing let other calls through`() throws {
        for effect in [
            FaultRule.Effect.lyingSync, .misdirectedWrite(by: 1), .flipBitOnWrite(0), .flipBit(0),
        ] {
            disk.add(FaultRule(.extend, times: 1, effect))
            let file = try disk.openForAppending("/a", .createNew)
            try file.extend(to: 2)
            #expect(try disk.contents("/a") == [0, 0])
            try disk.remove("/a")
            disk.removeRules()
        }
    }

    private func outcomes<Value: Hashable>(
        _ value: (InMemoryFileSystem) throws -> Value
    ) throws -> Set<Value> {
        var values: Set<Value> = []
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            values.insert(try value(base.crashClone(random: &random)))
        }
        return values
    }
}
