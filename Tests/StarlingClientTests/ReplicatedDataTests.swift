import Causality
import ClientProtocol
import ClusterPrimitives
import Synchronization
import Testing

@testable import StarlingClient

@Suite struct `A client of counters, sets, maps and siblings` {
    private let key = Array("k".utf8)
    private let red = Array("red".utf8)

    private func value(_ bytes: [UInt8], _ time: UInt64) -> VersionedValue {
        VersionedValue(
            version: Version(
                timestamp: HybridTimestamp(rawValue: time << 16),
                node: NodeID(2),
                lane: 0
            ),
            expiry: nil,
            bytes: bytes
        )
    }

    @Test func `what is absent is 0 or empty, and each read says what it expects`() async throws {
        try await FakeCluster.run { client, cluster in
            #expect(try await client.counter(key, in: "hits").contents == .counter(0))
            #expect(try await client.members(of: key, in: "tags").contents == .set([]))
            #expect(try await client.fields(of: key, in: "people").contents == .map([]))
            #expect(try await client.get(key, in: "demo").contents == .values([]))
            _ = try await client.getOwnCopy(of: key, in: "hits", from: "dc1-n1")
            #expect(
                cluster.answered() == [
                    .get(.counter, nil), .get(.set, nil), .get(.map, nil), .get(.value, nil),
                    .get(nil, nil),
                ]
            )
        }
    }

    @Test func `contents come with their kinds`() async throws {
        try await FakeCluster.run { client, cluster in
            let name = Array("roles".utf8)
            cluster.state.withLock {
                $0.contents[Array("hits".utf8)] = .counter(-7)
                $0.contents[Array("tags".utf8)] = .set([red])
                $0.contents[Array("people".utf8)] = .map([
                    MapEntry(name: name, contents: .register(red)),
                    MapEntry(name: name, contents: .lastWriterSet([red])),
                ])
            }
            let sum = try await client.counter(Array("hits".utf8), in: "hits")
            #expect(sum.contents.sum == -7 && sum.values.isEmpty)
            let set = try await client.members(of: Array("tags".utf8), in: "tags")
            #expect(set.contents.members == [red])
            let map = try await client.fields(of: Array("people".utf8), in: "people")
            #expect(map.contents.fields.map(\.kind) == [.register, .lastWriterSet])
        }
    }

    @Test func `contents of another kind than was asked for are no answer`() async throws {
        try await FakeCluster.run { client, cluster in
            cluster.state.withLock { $0.contents[key] = .set([red]) }
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.counter(key, in: "hits")
            }
            #expect(error?.code == .protocolViolation)
        }
    }

    @Test func `a removal without a context follows a read at its own level`() async throws {
        try await FakeCluster.run { client, cluster in
            var options = WriteOptions(consistency: .one)
            _ = try await client.removeMembers([red], from: key, in: "tags", options: options)
            _ = try await client.removeField(red, kind: .counter, of: key, in: "people")
            #expect(
                cluster.answered() == [
                    .get(.set, .one), .update(.remove([red]), context: [7]),
                    .get(.map, .localQuorum),
                    .update(.removeField(MapFieldName(red, .counter)), context: [7]),
                ]
            )
            options.context = [9]
            _ = try await client.removeMembers([red], from: key, in: "tags", options: options)
            _ = try await client.removeFieldMembers(
                [red],
                from: red,
                kind: .lastWriterSet,
                of: key,
                in: "people",
                options: options
            )
            #expect(
                cluster.answered() == [
                    .update(.remove([red]), context: [9]),
                    .update(.change(field: red, .stampRemoved([red])), context: [9]),
                ]
            )
        }
    }

    @Test func `a removal whose read fails says that nothing was written`() async throws {
        try await FakeCluster.run { client, cluster in
            cluster.script(0, [.fail(.corrupt, .no)])
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.removeMembers([red], from: key, in: "tags")
            }
            #expect(error?.code == .corrupt && error?.written == .no)
            #expect(error?.advice.hasPrefix("Nothing was written.") == true)
            #expect(cluster.answered() == [])
        }
    }

    @Test func `a delete removes what a read sees, but for values and counters as a whole`()
        async throws
    {
        try await FakeCluster.run { client, cluster in
            for keyspace in ["demo", "hits"] {
                _ = try await client.delete(key, in: keyspace)
                #expect(cluster.answered() == [.write(.delete, context: [])])
            }
            for keyspace in ["carts", "tags", "people"] {
                _ = try await client.delete(key, in: keyspace)
                #expect(
                    cluster.answered() == [
                        .get(nil, .localQuorum), .write(.delete, context: [7]),
                    ]
                )
            }
            var options = WriteOptions()
            options.context = [9]
            _ = try await client.delete(key, in: "carts", options: options)
            #expect(cluster.answered() == [.write(.delete, context: [9])])
        }
    }

    @Test func `an increment is repeated only with an operation's id`() async throws {
        try await FakeCluster.run { client, cluster in
            cluster.script(0, [.hangUp])
            let options = WriteOptions(consistency: .one)
            let counted = try await client.increment(
                key,
                by: -3,
                in: "hits",
                operationID: [1],
                options: options
            )
            #expect(counted.sum == -3 && counted.coordinator == "dc2-n1")
            #expect(cluster.answered() == [.update(.increment(-3, id: [1]), context: [])])
            var allowing = options
            allowing.retriesUnknownOutcome = true
            for isField in [false, true] {
                cluster.script(0, [.hangUp])
                cluster.script(1, [.hangUp])
                let error = await failure { () async throws(StarlingError) in
                    if isField {
                        _ = try await client.incrementField(
                            red,
                            of: key,
                            in: "people",
                            options: allowing
                        )
                    } else {
                        _ = try await client.increment(key, in: "hits", options: allowing)
                    }
                }
                #expect(error?.code == .timeout && error?.written == .unknown)
                #expect(error?.advice.contains("repeat the same") == false)
            }
            #expect(cluster.answered() == [])
        }
    }

    @Test func `a change of a set is repeated where its caller allows it, a sibling never`()
        async throws
    {
        try await FakeCluster.run { client, cluster in
            var options = WriteOptions(consistency: .one)
            options.retriesUnknownOutcome = true
            cluster.script(0, [.hangUp])
            let added = try await client.addMembers([red], to: key, in: "tags", options: options)
            #expect(added.coordinator == "dc2-n1")
            cluster.script(0, [.hangUp])
            cluster.script(1, [.hangUp])
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "carts", options: options)
            }
            #expect(error?.code == .timeout && error?.written == .unknown)
        }
    }

    @Test func `a write refused for its siblings tells which they are`() async throws {
        try await FakeCluster.run { client, cluster in
            cluster.script(
                0,
                [
                    .refuse(
                        FailureResponse(
                            code: .conflict,
                            message: "too many",
                            values: [value([1], 5), value([2], 6)],
                            context: [3, 4]
                        )
                    )
                ]
            )
            let error = await failure { () async throws(StarlingError) in
                _ = try await client.put([1], for: key, in: "carts")
            }
            #expect(error?.code == .conflict && error?.written == .no)
            #expect(error?.values.map(\.bytes) == [[1], [2]])
            #expect(error?.values.map(\.version.node) == ["dc2-n1", "dc2-n1"])
            #expect(error?.context == [3, 4])
        }
    }

    @Test func `what no set or map can hold is refused before anyone is asked`() async throws {
        try await FakeCluster.run { client, cluster in
            let long = [UInt8](repeating: 1, count: 64 * 1024 + 1)
            let many = Array(repeating: Array(long.dropLast()), count: 129)
            let empty = await failure { () async throws(StarlingError) in
                _ = try await client.addMembers([], to: key, in: "tags")
            }
            #expect(empty?.code == .invalid)
            for members in [[long], many] {
                let error = await failure { () async throws(StarlingError) in
                    _ = try await client.removeMembers(members, from: key, in: "tags")
                }
                #expect(error?.code == .tooLarge)
            }
            let over = Array(repeating: red, count: UpdateRequest.maximumElements + 1)
            let overfull = await failure { () async throws(StarlingError) in
                _ = try await client.addMembers(over, to: key, in: "tags")
            }
            let overfullField = await failure { () async throws(StarlingError) in
                _ = try await client.addFieldMembers(over, to: red, of: key, in: "people")
            }
            for error in [overfull, overfullField] {
                #expect(error?.code == .tooLarge)
                #expect(error?.message.contains("the most at one time is 10000") == true)
                #expect(error?.advice == "Name fewer at a time.")
            }
            for (count, code) in [(0, StarlingError.Code.invalid), (1025, .tooLarge)] {
                let name = Array(long.prefix(count))
                let error = await failure { () async throws(StarlingError) in
                    _ = try await client.putField([1], for: name, of: key, in: "people")
                }
                #expect(error?.code == code)
            }
            let kindless = await failure { () async throws(StarlingError) in
                _ = try await client.addFieldMembers(
                    [red],
                    to: red,
                    kind: .counter,
                    of: key,
                    in: "people"
                )
            }
            #expect(kindless?.code == .invalid)
            let id = Array(long.prefix(65))
            let named = await failure { () async throws(StarlingError) in
                _ = try await client.increment(key, in: "hits", operationID: id)
            }
            #expect(named?.code == .tooLarge)
            #expect(cluster.received(0) + cluster.received(1) == 0)
        }
    }
}
