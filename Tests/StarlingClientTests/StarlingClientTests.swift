import ClientProtocol
import ClusterPrimitives
import Partitioning
import Synchronization
import Testing

@testable import StarlingClient

@Suite struct `A client of a cluster` {
    private let key = Array("k".utf8)

    @Test func `what was put is got, with names instead of numbers`() async throws {
        try await FakeCluster.run { client, _ in
            let put = try await client.put([1, 2], for: key, in: "demo")
            #expect(put.coordinator == "dc1-n1")
            #expect(put.version.node == "dc1-n1")
            var options = ReadOptions(consistency: .one)
            options.isTraced = true
            let get = try await client.get(key, in: "demo", options: options)
            #expect(get.values.map(\.bytes) == [[1, 2]])
            #expect(get.values.map(\.version) == [put.version])
            #expect(get.consistency == .one && get.context == [7])
            #expect(get.trace.map(\.node) == ["dc1-n1"])
        }
    }

    @Test func `many requests at once share the connections`() async throws {
        try await FakeCluster.run { client, cluster in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let key = Array("k\(number)".utf8)
                        _ = try await client.put(key, for: key, in: "demo")
                        let result = try await client.get(key, in: "demo")
                        #expect(result.values.map(\.bytes) == [key])
                    }
                }
                try await group.waitForAll()
            }
            #expect(cluster.received(1) == 0)
        }
    }

    @Test func `an unknown keyspace names the nearest one`() async throws {
        try await FakeCluster.run { client, _ in
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.get(key, in: "demp")
            }
            #expect(error?.code == .notFound && error?.advice == "Did you mean 'demo'?")
        }
    }

    @Test func `a write whose connection breaks is unknown, and not repeated`() async throws {
        try await FakeCluster.run { client, cluster in
            _ = try await client.snapshot()
            cluster.script(0, [.hangUp])
            let options = WriteOptions(consistency: .one)
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "demo", options: options)
            }
            #expect(error?.code == .timeout && error?.written == .unknown)
            #expect(cluster.received(0) == 1 && cluster.received(1) == 0)
        }
    }

    @Test func `a write that a stopping node did not answer is repeated elsewhere`() async throws {
        try await FakeCluster.run { client, cluster in
            _ = try await client.snapshot()
            cluster.script(0, [.end])
            let options = WriteOptions(consistency: .one)
            let result = try await client.put([1], for: key, in: "demo", options: options)
            #expect(result.coordinator == "n2" || cluster.received(1) == 1)
        }
    }

    @Test func `a write is repeated where its caller allows it, a read always`() async throws {
        try await FakeCluster.run { client, cluster in
            cluster.script(0, [.hangUp])
            var options = WriteOptions(consistency: .one)
            options.retriesUnknownOutcome = true
            let put = try await client.put([1], for: key, in: "demo", options: options)
            #expect(put.coordinator == "dc2-n1")
            cluster.script(0, [.hangUp])
            let read = ReadOptions(consistency: .one)
            let get = try await client.get(key, in: "demo", options: read)
            #expect(get.coordinator == "dc2-n1" && get.values.count == 1)
        }
    }

    @Test func `a refused write goes to another coordinator, and the level decides where`()
        async throws
    {
        try await FakeCluster.run { client, cluster in
            cluster.script(0, [.fail(.unavailable, .no)])
            let options = WriteOptions(consistency: .quorum)
            let put = try await client.put([1], for: key, in: "demo", options: options)
            #expect(put.coordinator == "dc2-n1")
            cluster.script(0, Array(repeating: .fail(.unavailable, .no), count: 3))
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "demo")
            }
            #expect(error?.code == .unavailable && error?.message == "as scripted")
            #expect(cluster.received(0) == 2 && cluster.received(1) == 1)
        }
    }

    @Test func `a silent node costs no more than the request's time`() async throws {
        try await FakeCluster.run { client, cluster in
            _ = try await client.snapshot()
            cluster.script(0, [.ignore])
            let options = WriteOptions(consistency: .one, timeout: .milliseconds(50))
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "demo", options: options)
            }
            #expect(error?.code == .timeout && error?.written == .unknown)
            // The next request asks another node first.
            let put = try await client.put(
                [1],
                for: key,
                in: "demo",
                options: WriteOptions(consistency: .one)
            )
            #expect(put.coordinator == "dc2-n1")
        }
    }

    @Test func `a local level is refused, not served elsewhere, when its datacenter is gone`()
        async throws
    {
        try await FakeCluster.run { client, cluster in
            try await cluster.stopListening(0)
            let put = try await client.put(
                [1],
                for: key,
                in: "demo",
                options: WriteOptions(consistency: .one)
            )
            #expect(put.coordinator == "dc2-n1")
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "demo")
            }
            #expect(error?.code == .unavailable && error?.written == .no)
            #expect(error?.message.contains("dc1-n1") == true)
        }
    }

    @Test func `a newer topology is fetched when an answer speaks of it`() async throws {
        try await FakeCluster.run { client, cluster in
            _ = try await client.put([1], for: key, in: "demo")
            let definition = KeyspaceDefinition(
                name: "later",
                replication: [KeyspaceDefinition.Replication(datacenter: "dc1", replicas: 1)]
            )
            let newer = try #require(cluster.state.withLock { $0.topology }).creating(definition)
            cluster.state.withLock { $0.topology = newer }
            // An unknown keyspace is looked up before its absence is believed.
            _ = try await client.put([1], for: key, in: "later")
            #expect(try await client.snapshot().topology.epoch == newer.epoch)
        }
    }

    @Test func `a client of another authority is refused, and told so`() async throws {
        let other = try await FakeCluster.start()
        defer { Task { await other.stop() } }
        try await FakeCluster.run(adjust: { configuration in
            configuration.certificateFile = other.directory + "/tester.crt"
            configuration.keyFile = other.directory + "/tester.key"
        }) { client, _ in
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.describe()
            }
            #expect(error?.code == .tls)
        }
    }

    @Test func `a node of another name than the profile's is not trusted`() async throws {
        try await FakeCluster.run(adjust: { configuration in
            configuration.nodes = [configuration.nodes[0]]
            configuration.nodes[0].name = "dc1-n9"
        }) { client, _ in
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.describe()
            }
            #expect(error?.code == .tls)
        }
    }

    @Test func `keys and values out of bounds are refused before anyone is asked`() async throws {
        try await FakeCluster.run { client, cluster in
            for (bytes, code) in [
                ([], StarlingError.Code.invalid), ([UInt8](repeating: 1, count: 1025), .tooLarge),
            ] {
                let error = await failure { () async throws(StarlingError) in
                    _ = try await client.get(bytes, in: "demo")
                }
                #expect(error?.code == code)
            }
            #expect(cluster.received(0) == 0)
        }
    }

    @Test func `a timestamp of 0 is refused before anyone is asked`() async throws {
        try await FakeCluster.run { client, cluster in
            var options = WriteOptions()
            options.timestamp = WallClockTime(milliseconds: 0)
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "demo", options: options)
            }
            #expect(error?.code == .invalid && error?.written == .no)
            #expect(cluster.received(0) + cluster.received(1) == 0)
            options.timestamp = WallClockTime(milliseconds: 1)
            _ = try await client.put([1], for: key, in: "demo", options: options)
        }
    }

    @Test func `a closed client refuses`() async throws {
        try await FakeCluster.run { client, _ in
            _ = try await client.put([1], for: key, in: "demo")
            client.close()
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "demo")
            }
            #expect(error != nil)
        }
    }
}
