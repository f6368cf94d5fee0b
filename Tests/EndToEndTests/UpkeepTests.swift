import Foundation
import Testing

@Suite(.serialized) struct `Upkeep of a running cluster` {
    private static func results(_ outcome: BuiltProgram.Outcome) -> [[String: Any]] {
        outcome.json["results"] as? [[String: Any]] ?? []
    }

    private static func text(_ object: [String: Any], _ key: String) -> String {
        object[key] as? String ?? ""
    }

    @Test func `flush writes what each node holds in memory, and says so for each keyspace`()
        async throws
    {
        try await TestCluster.run { cluster in
            let created = try await cluster.starling(
                "keyspace",
                "create",
                "logs",
                "--replication",
                "dc1=1",
                "--compression",
                "zlib:6",
                "-o",
                "json"
            )
            #expect(created.json["compression"] as? String == "zlib:6", "\(created)")
            let listed = try await cluster.starling("keyspace", "list", "-o", "plain")
            #expect(listed.output.contains("\tnone\n") && listed.output.contains("\tzlib:6\n"))
            #expect(try await cluster.starling("put", "demo/k", "1", "-c", "ALL").exit == 0)

            let flushed = try await cluster.starling("flush", "-o", "json")
            #expect(flushed.exit == 0, "\(flushed)")
            let results = Self.results(flushed)
            #expect(
                results.map { Self.text($0, "node") + " " + Self.text($0, "keyspace") } == [
                    "dc1-n1 demo", "dc1-n1 logs", "dc1-n2 demo", "dc1-n2 logs", "dc1-n3 demo",
                    "dc1-n3 logs",
                ]
            )
            for result in results {
                let written = try #require(result["bytes_written"] as? Int)
                #expect((written > 0) == (Self.text(result, "keyspace") == "demo"), "\(flushed)")
            }
            let get = try await cluster.starling("get", "demo/k", "-c", "ALL", "-o", "json")
            #expect(get.value == "1", "\(get)")

            let one = try await cluster.starling(
                "flush",
                "--keyspace",
                "demo",
                "--node",
                "dc1-n2",
                "-o",
                "plain"
            )
            #expect(one.output == "dc1-n2\tdemo\t0\n", "\(one)")
        }
    }

    @Test func `a node that cannot be reached is named, and the others do their work`()
        async throws
    {
        try await TestCluster.run { cluster in
            #expect(try await cluster.starling("put", "demo/k", "1", "-c", "ALL").exit == 0)
            #expect(try await cluster.dev("kill", "dc1-n2").exit == 0)
            let flushed = try await cluster.starling("flush", "-o", "json")
            #expect(flushed.exit == 3, "\(flushed)")
            #expect(Self.results(flushed).map { Self.text($0, "node") } == ["dc1-n1", "dc1-n3"])
            #expect(flushed.error["code"] as? String == "unavailable", "\(flushed)")
            #expect(Self.text(flushed.error, "message").contains("dc1-n2"), "\(flushed)")
            let plain = try await cluster.starling("flush", "--node", "dc1-n2")
            #expect(plain.exit == 3, "\(plain)")
            #expect(plain.notes.contains("error: unavailable: dc1-n2: "), "\(plain)")
        }
    }

    @Test func `is for admins, and for what is there`() async throws {
        try await TestCluster.run(nodes: 1) { cluster in
            let unknown = try await cluster.starling("flush", "--keyspace", "dem")
            #expect(unknown.exit == 2 && unknown.notes.contains("'demo'"), "\(unknown)")
            let nobody = try await cluster.starling("verify", "--node", "dc1-n2")
            #expect(nobody.exit == 2 && nobody.notes.contains("dc1-n1"), "\(nobody)")
            let profile = cluster.folder.appending(path: "cluster/client.yaml")
            let made = try await BuiltProgram.run(
                [
                    "cert", "create-client", "reader", "--directory", "cluster/certs",
                ],
                in: cluster.folder
            )
            #expect(made.exit == 0, "\(made)")
            let admin = try String(contentsOf: profile, encoding: .utf8)
            let reader = admin.replacing("admin.", with: "reader.")
            #expect(reader != admin, "\(admin)")
            try reader.write(
                to: cluster.folder.appending(path: "cluster/reader.yaml"),
                atomically: true,
                encoding: .utf8
            )
            let refused = try await BuiltProgram.run(
                ["flush", "-o", "json"],
                environment: ["STARLING_PROFILE": "cluster/reader.yaml"],
                in: cluster.folder
            )
            #expect(refused.exit == 6, "\(refused)")
            #expect(refused.error["code"] as? String == "forbidden", "\(refused)")
        }
    }

    @Test func `a compression that is none is refused before anything is asked`() async throws {
        try await withTemporaryFolder { folder in
            for text in ["lz4", "zlib:0", "zlib:10"] {
                let outcome = try await BuiltProgram.run(
                    [
                        "keyspace", "create", "k", "--replication", "dc1=1", "--compression", text,
                    ],
                    in: folder
                )
                #expect(outcome.exit == 64, "\(outcome)")
                #expect(outcome.notes.contains("'\(text)' is no compression. Use none, zlib"))
            }
        }
    }
}
