import ArgumentParser
import ClusterPrimitives
import Partitioning
import Foundation
import Histogram
import StarlingClient
import Synchronization

/// The command `starling bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a cluster's throughput and latency.",
        subcommands: [BenchWriteCommand.self, BenchReadCommand.self]
    )
}

/// The command `starling bench write`.
struct BenchWriteCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Write random values, --connections times --in-flight at a time.",
        discussion: """
            Where siblings are kept, a key is read before its first write, and each write carries \
            the context of the one before it, so that one value stays unless two meet.

            EXAMPLES:
              starling bench write --duration 30s
              starling bench write --operations 100000 --value-size 1024 -c QUORUM -o json
              starling bench write --connections 1 --in-flight 1 --hdr write.hdr
            """
    )

    @Option(help: "Bytes of a value.")
    var valueSize = 256

    @OptionGroup var bench: BenchOptions
    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0...Limits.maximumValueSize).contains(valueSize) else {
            throw ValidationError("--value-size goes from 0 to \(Limits.maximumValueSize).")
        }
    }

    func adjust(_ configuration: inout ClientConfiguration) { bench.adjust(&configuration) }

    func execute(_ client: StarlingClient) async throws {
        let options = WriteOptions(consistency: consistency.consistency)
        let keyspace = bench.keyspace
        let size = valueSize
        let keepsSiblings = try await client.keyspace(keyspace).0.mode == .siblings
        let contexts = SeenContexts()
        try await bench.run(client, output: output) { key, picker in
            let value = picker.bytes(size)
            return { () async throws(StarlingError) -> Bool in
                var options = options
                if keepsSiblings {
                    options.context = try await contexts.context(of: key, in: keyspace, client)
                }
                let result = try await client.put(value, for: key, in: keyspace, options: options)
                if keepsSiblings { contexts.note(result.context, of: key) }
                return true
            }
        }
    }
}

/// What the writes of a run have seen of each key.
private final class SeenContexts: Sendable {
    private let contexts = Mutex<[[UInt8]: [UInt8]]>([:])

    /// What was seen of a key last; it is read where it was not seen yet.
    func context(
        of key: [UInt8],
        in keyspace: String,
        _ client: StarlingClient
    ) async throws(StarlingError) -> [UInt8] {
        if let known = contexts.withLock({ $0[key] }) { return known }
        return try await client.get(key, in: keyspace).context
    }

    /// Notes what a write has seen.
    func note(_ context: [UInt8], of key: [UInt8]) {
        contexts.withLock { $0[key] = context }
    }
}

/// The command `starling bench read`.
struct BenchReadCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Read what 'bench write' wrote, --connections times --in-flight at a time.",
        discussion: """
            EXAMPLES:
              starling bench read --duration 30s
              starling bench read --operations 100000 --distribution zipf:0.99 -o json
            """
    )

    @OptionGroup var bench: BenchOptions
    @OptionGroup var consistency: ConsistencyOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func adjust(_ configuration: inout ClientConfiguration) { bench.adjust(&configuration) }

    func execute(_ client: StarlingClient) async throws {
        let options = ReadOptions(consistency: consistency.consistency)
        let keyspace = bench.keyspace
        try await bench.run(client, output: output) { key, _ in
            { () async throws(StarlingError) -> Bool in
                let result = try await client.get(key, in: keyspace, options: options)
                return !result.values.isEmpty
            }
        }
    }
}
