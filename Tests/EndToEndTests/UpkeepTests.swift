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

    @Test func `damage is found by verify, and what is whole survives the scrub`() async throws {
        try await TestCluster.run(nodes: 1) { cluster in
            let records = (0..<400).map { "{\"key\":\"k\($0)\",\"value\":\"value of \($0)\"}" }
            let imported = try await cluster.starling(
                "import",
                "demo",
                "-",
                input: records.joined(separator: "\n") + "\n"
            )
            #expect(imported.exit == 0, "\(imported)")
            #expect(try await cluster.starling("flush").exit == 0)
            let verified = try await cluster.starling("verify", "-o", "plain")
            #expect(verified.exit == 0 && verified.output.hasSuffix("\t0\n"), "\(verified)")
            let compacted = try await cluster.starling("compact", "-o", "json")
            #expect(compacted.exit == 0, "\(compacted)")
            #expect(Self.results(compacted).first?["tables_after"] as? Int == 1, "\(compacted)")

            let table = try #require(Self.table(in: cluster))
            let file = try FileHandle(forUpdating: table)
            try file.seek(toOffset: 300)
            try file.write(contentsOf: Data([0xFF, 0, 0xFF, 0]))
            try file.close()

            let damaged = try await cluster.starling("verify", "-o", "json")
            #expect(damaged.exit == 1, "\(damaged)")
            let damage = try #require(
                (Self.results(damaged).first?["damage"] as? [[String: Any]])?.first,
                "\(damaged)"
            )
            #expect(Self.text(damage, "file").hasSuffix(table.lastPathComponent), "\(damaged)")
            #expect(damage["tokens"] is [String: Any], "\(damaged)")

            let scrubbed = try await cluster.starling("scrub", "-o", "json")
            #expect(scrubbed.exit == 0, "\(scrubbed)")
            let result = try #require(Self.results(scrubbed).first)
            #expect((result["salvaged_tables"] as? [Int])?.count == 1, "\(scrubbed)")
            #expect((result["lost"] as? [[String: Any]])?.isEmpty == false, "\(scrubbed)")
            let healed = try await cluster.starling("verify")
            #expect(healed.exit == 0, "\(healed)")

            var (found, unknown) = (0, 0)
            for key in stride(from: 0, to: 400, by: 8) {
                let get = try await cluster.starling("get", "demo/k\(key)", "--timeout", "500ms")
                // What may be lost is never told as not found.
                #expect(get.exit != 2, "\(get)")
                if get.exit == 0 { found += 1 } else { unknown += 1 }
            }
            #expect(found > 0 && found + unknown == 50, "\(found) found")
        }
    }

    /// The only table of the node of a cluster.
    private static func table(in cluster: TestCluster) -> URL? {
        let folder = cluster.folder.appending(path: "cluster/nodes/dc1-n1/data")
        let names = FileManager.default.enumerator(atPath: folder.path)
        let tables = names?.compactMap { $0 as? String }.filter { $0.hasSuffix(".sst") } ?? []
        return tables.count == 1 ? folder.appending(path: tables[0]) : nil
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
