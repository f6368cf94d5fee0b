import ClientProtocol
import ClusterPrimitives
import NodeCore
import Partitioning
import Replication
import Testing

@Suite struct `Upkeep that an operator asks for` {
    private static func cluster() throws -> ControlCluster {
        let cluster = try ControlCluster(nodesPerDatacenter: 1)
        cluster.advance(.seconds(1))
        for name in ["users", "logs"] {
            try #require(cluster.topology(cluster.create(name, at: "dc1-n1")) != nil)
        }
        return cluster
    }

    private static let users = KeyspaceNumber(1)
    private static let logs = KeyspaceNumber(2)

    private static func report(read: UInt64, damaged: Int = 0) -> StoreUpkeepReport {
        var report = StoreUpkeepReport()
        report.bytesRead = read
        report.damage = (0..<damaged).map {
            StoreUpkeepReport.Damage(
                file: "\($0).sst",
                offset: 0,
                expected: 1,
                found: 2,
                part: "block",
                tokens: nil
            )
        }
        return report
    }

    @Test func `of no keyspace that is there is refused, and nothing begins`() throws {
        let cluster = try Self.cluster()
        let asked = cluster.upkeep(.flush, of: "user", at: "dc1-n1")
        let failure = try #require(cluster.failure(asked))
        #expect(failure.code == .notFound)
        #expect(failure.advice == "Did you mean 'users'?")
        #expect(cluster.failure(cluster.request(.upkeep([9]), at: "dc1-n1"))?.code == .invalid)
        #expect(cluster["dc1-n1"].upkeep.isEmpty)
    }

    @Test func `is one job at a time, and a second is told which`() throws {
        let cluster = try Self.cluster()
        let first = cluster.upkeep(.compact, of: "logs", at: "dc1-n1")
        cluster.advance(.seconds(12))
        let second = cluster.upkeep(.verify, at: "dc1-n1")
        let failure = try #require(cluster.failure(second))
        #expect(failure.code == .overloaded)
        #expect(failure.message == "dc1-n1 has been busy for 12 s with compact of keyspace logs")
        #expect(
            cluster["dc1-n1"].upkeep == [UpkeepJob(kind: .compact, keyspaces: [Self.logs])]
        )
        #expect(cluster.answerCounts[first] == nil)

        cluster.endUpkeep(
            [UpkeepResult(keyspace: Self.logs, outcome: .done(Self.report(read: 5)))],
            at: "dc1-n1"
        )
        #expect(
            cluster.upkeepReport(first)
                == UpkeepResponse(results: [
                    .init(keyspace: "logs", outcome: .done(Self.report(read: 5)))
                ])
        )
        _ = cluster.upkeep(.verify, at: "dc1-n1")
        #expect(
            cluster["dc1-n1"].upkeep.last
                == UpkeepJob(kind: .verify, keyspaces: [Self.users, Self.logs])
        )
    }

    @Test func `tells what failed of each keyspace by its name`() throws {
        let cluster = try Self.cluster()
        let asked = cluster.upkeep(.scrub, at: "dc1-n1")
        // One that is dropped meanwhile keeps its name in the answer.
        _ = cluster.drop("users", at: "dc1-n1")
        cluster.endUpkeep(
            [
                UpkeepResult(
                    keyspace: Self.users,
                    outcome: .failed(.unknownKeyspace, reason: "gone")
                ),
                UpkeepResult(keyspace: Self.logs, outcome: .failed(.corrupt, reason: "damaged")),
            ],
            at: "dc1-n1"
        )
        #expect(
            cluster.upkeepReport(asked)?.results == [
                .init(keyspace: "users", outcome: .failed(.notFound, message: "gone")),
                .init(keyspace: "logs", outcome: .failed(.corrupt, message: "damaged")),
            ]
        )
        #expect(
            cluster["dc1-n1"].notices.contains {
                guard case .upkeepEnded(_, _, ["logs"]) = $0 else { return false }
                return true
            }
        )
    }

    @Test func `lists no more findings than an answer holds, and counts the rest`() throws {
        let cluster = try Self.cluster()
        let asked = cluster.upkeep(.verify, at: "dc1-n1")
        let most = StoreUpkeepReport.maximumListed
        cluster.endUpkeep(
            [
                UpkeepResult(
                    keyspace: Self.users,
                    outcome: .done(Self.report(read: 1, damaged: most - 10))
                ),
                UpkeepResult(
                    keyspace: Self.logs,
                    outcome: .done(Self.report(read: 1, damaged: 30))
                ),
            ],
            at: "dc1-n1"
        )
        let results = try #require(cluster.upkeepReport(asked)?.results)
        guard case .done(let users) = results[0].outcome, case .done(let logs) = results[1].outcome
        else {
            Issue.record("\(results)")
            return
        }
        #expect(users.damage.count == most - 10 && users.omitted == 0)
        #expect(logs.damage.count == 10 && logs.omitted == 20)
    }

    @Test func `that nobody asked for is no upkeep`() throws {
        let cluster = try Self.cluster()
        cluster.endUpkeep(
            [UpkeepResult(keyspace: Self.logs, outcome: .done(Self.report(read: 5)))],
            at: "dc1-n1"
        )
        #expect(cluster["dc1-n1"].upkeep.isEmpty)
    }
}

@Suite struct `The compression of a new keyspace` {
    @Test func `reaches the topology, and one that nobody knows is refused`() throws {
        let cluster = try ControlCluster(nodesPerDatacenter: 1)
        cluster.advance(.seconds(1))
        let created = cluster.create("logs", at: "dc1-n1", compression: 6)
        #expect(
            cluster.topology(created)?.keyspace(named: "logs")?.compression == .zlib(level: 6)
        )
        let failure = cluster.failure(cluster.create("more", at: "dc1-n1", compression: 10))
        #expect(failure?.code == .invalid)
        #expect(failure?.written == .no)
        #expect(failure?.advice.contains("zlib:9") == true)
    }
}
