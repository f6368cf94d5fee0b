import FileSystems
import StorageEngine
import Testing

@Suite struct `Recovery that is itself cut short` {
    @Test func `leaves no earlier write above a later one, wherever it was cut`() throws {
        // Every call that appends to the log, cut after every fourth byte.
        for (call, cut) in (1...4).flatMap({ call in (0..<100).map { (call, 4 * $0) } }) {
            let disk = FaultyFileSystem(InMemoryFileSystem())
            func open() throws -> Engine { try Engine.open(directory: "db", on: disk) }
            func put(_ value: UInt8, into engine: Engine) throws {
                var batch = WriteBatch()
                batch.put(tree: 1, prefix: 0, key: [1], value: [value])
                try engine.write(batch, durability: .synced)
            }
            // Not closed, so that recovery does not know that all of it is on the disk.
            var left: Engine? = try open()
            if let left {
                try left.createTree(1, rule: .overwrite, compression: .none)
                for value in 1...3 as ClosedRange<UInt8> { try put(value, into: left) }
            }
            left = nil
            disk.add(
                FaultRule(.append, pathContains: ".log", first: call, .shortWrite(bytes: cut))
            )
            if let opened = try? open() { try? opened.close() }
            disk.removeRules()
            let engine = try open()
            #expect(
                try engine.get(tree: 1, prefix: 0, key: [1]).value == [3],
                "append \(call) to the log was cut after \(cut) bytes"
            )
            try engine.close()
        }
    }
}

extension Lookup {
    /// The value, if there is one.
    fileprivate var value: [UInt8]? {
        if case .found(let value, _) = self { value } else { nil }
    }
}
