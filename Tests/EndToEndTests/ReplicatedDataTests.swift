import Foundation
import Testing

/// Counters, sets, maps and siblings in clusters of real processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Replicated data of real processes` {
    private func withKeyspace(
        _ mode: String,
        _ work: (TestCluster) async throws -> Void
    ) async throws {
        try await TestCluster.run { cluster in
            let created = try await cluster.starling(
                "keyspace",
                "create",
                "ks",
                "--replication",
                "dc1=3",
                "--mode",
                mode
            )
            try #require(created.exit == 0, "\(created)")
            try await work(cluster)
        }
    }

    @Test func `siblings are kept until a write that saw them all`() async throws {
        try await withKeyspace("siblings") { cluster in
            // At ALL, because what a coordinator counts is its own copy.
            #expect(try await cluster.starling("put", "ks/k", "a", "-c", "ALL").exit == 0)
            let second = try await cluster.starling(
                "put",
                "ks/k",
                "b",
                "-c",
                "ALL",
                "--fail-on-conflict"
            )
            #expect(second.exit == 5, "\(second)")
            let read = try await cluster.starling("get", "ks/k", "-c", "QUORUM", "-o", "json")
            let values = read.json["values"] as? [[String: Any]] ?? []
            #expect(Set(values.compactMap { $0["value"] as? String }) == ["a", "b"], "\(read)")
            let told = try await cluster.starling("get", "ks/k", "--fail-on-siblings")
            #expect(told.exit == 5, "\(told)")

            let exported = try await cluster.starling("export", "ks", "-")
            #expect(exported.output.split(separator: "\n").count == 2, "\(exported)")

            let plain = try await cluster.starling("get", "ks/k")
            let context = try #require(
                plain.notes.split(separator: " ").last.map(String.init)?
                    .trimmingCharacters(in: .newlines),
                "\(plain)"
            )
            let merged = try await cluster.starling(
                "put",
                "ks/k",
                "ab",
                "--context",
                context,
                "--fail-on-conflict",
                "-o",
                "json"
            )
            #expect(merged.exit == 0 && merged.json["siblings"] as? Int == 1, "\(merged)")
            let one = try await cluster.starling("get", "ks/k", "-c", "QUORUM", "-o", "json")
            #expect(one.value == "ab" && one.json["siblings"] as? Int == 1, "\(one)")

            let imported = try await cluster.starling("import", "ks", "-", input: exported.output)
            #expect(imported.exit == 0, "\(imported)")
            let three = try await cluster.starling("get", "ks/k", "-c", "QUORUM", "-o", "json")
            #expect(three.json["siblings"] as? Int == 3, "\(three)")

            #expect(try await cluster.starling("delete", "ks/k", "-c", "QUORUM").exit == 0)
            let gone = try await cluster.starling("get", "ks/k", "-c", "QUORUM")
            #expect(gone.exit == 2, "\(gone)")
        }
    }

    @Test func `what two datacenters write while they are cut off is all there afterwards`()
        async throws
    {
        try await TestCluster.run(datacenters: 2, nodes: 2) { cluster in
            for mode in ["siblings", "lww", "counter", "set"] {
                let created = try await cluster.starling(
                    all: [
                        "keyspace", "create", mode, "--replication", "dc1=2,dc2=2", "--mode", mode,
                    ]
                )
                try #require(created.exit == 0, "\(created)")
            }
            #expect(try await cluster.dev("partition", "dc1", "dc2").exit == 0)
            for side in ["1", "2"] {
                let writes = [
                    ["put", "siblings/k", "v" + side], ["put", "lww/k", "v" + side],
                    ["counter", "add", "counter/k", side], ["set", "add", "set/k", "m" + side],
                ]
                for write in writes {
                    let outcome = try await cluster.starling(
                        all: write + ["-c", "LOCAL_QUORUM", "--datacenter", "dc" + side]
                    )
                    #expect(outcome.exit == 0, "\(outcome)")
                }
            }
            #expect(try await cluster.dev("heal").exit == 0)
            #expect(try await cluster.up().exit == 0)
            let reads = [
                (["get", "siblings/k"], "v1\nv2\n"), (["counter", "get", "counter/k"], "3\n"),
                (["set", "members", "set/k"], "m1\nm2\n"), (["get", "lww/k"], "v2\n"),
            ]
            for (read, expected) in reads {
                let all = try await cluster.starling(all: read + ["-c", "ALL", "-o", "plain"])
                #expect(all.exit == 0 && all.output == expected, "\(all)")
                for node in ["dc1-n1", "dc1-n2", "dc2-n1", "dc2-n2"] {
                    let key = read.last ?? ""
                    let copy = try await cluster.starling(
                        all: ["get", key, "--replica", node, "-o", "plain"]
                    )
                    #expect(copy.output == expected, "\(node): \(copy)")
                }
            }
        }
    }

    @Test func `copies that came to more than an answer takes are joined and can be replaced`()
        async throws
    {
        try await TestCluster.run(datacenters: 3, nodes: 1) { cluster in
            let created = try await cluster.starling(
                all: [
                    "keyspace", "create", "ks", "--replication", "dc1=1,dc2=1,dc3=1", "--mode",
                    "siblings",
                ]
            )
            try #require(created.exit == 0, "\(created)")
            for (one, other) in [("dc1", "dc2"), ("dc1", "dc3"), ("dc2", "dc3")] {
                #expect(try await cluster.dev("partition", one, other).exit == 0)
            }
            let value = String(repeating: "x", count: 1_000_000)
            for number in 0..<12 {
                let write = ["put", "ks/k", "-", "-c", "LOCAL_QUORUM", "--timeout", "60s"]
                let outcome = try await cluster.starling(
                    all: write + ["--datacenter", "dc\(number % 3 + 1)"],
                    input: value
                )
                #expect(outcome.exit == 0, "\(outcome)")
            }
            #expect(try await cluster.dev("heal").exit == 0)
            #expect(try await cluster.up().exit == 0)
            // Twelve values, and what keeps them apart.
            let whole = "comes to 12000288 bytes"
            let all = try await cluster.starling("get", "ks/k", "-c", "ALL", "--timeout", "60s")
            #expect(all.exit == 64 && all.notes.contains(whole), "\(all)")
            for node in ["dc1-n1", "dc2-n1", "dc3-n1"] {
                let copy = try await cluster.starling("get", "ks/k", "--replica", node)
                #expect(copy.exit == 64 && copy.notes.contains(whole), "\(node): \(copy)")
            }
            let context = all.notes.split(separator: "--context ").last?
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let replaced = try await cluster.starling(
                "put",
                "ks/k",
                "small",
                "--context",
                context ?? "",
                "-c",
                "ALL",
                "--timeout",
                "60s"
            )
            #expect(replaced.exit == 0, "\(replaced)")
            let read = try await cluster.starling("get", "ks/k", "-c", "ALL")
            #expect(read.output == "small\n", "\(read)")
        }
    }

    @Test func `a counter counts every addition once`() async throws {
        try await withKeyspace("counter") { cluster in
            let absent = try await cluster.starling("counter", "get", "ks/k", "-o", "json")
            #expect(absent.exit == 0 && absent.json["value"] as? Int == 0, "\(absent)")
            for (arguments, sum) in [
                ([], 1), (["10"], 11), (["-3"], 8), (["5", "--operation-id", "x"], 13),
                (["5", "--operation-id", "x"], 13),
            ] as [([String], Int)] {
                let added = try await cluster.starling(
                    all: ["counter", "add", "ks/k"] + arguments + ["-c", "ALL", "-o", "json"]
                )
                #expect(added.exit == 0 && added.json["value"] as? Int == sum, "\(added)")
            }
            let read = try await cluster.starling("counter", "get", "ks/k", "-c", "QUORUM")
            #expect(read.output == "13\n", "\(read)")
            let own = try await cluster.starling(
                "get",
                "ks/k",
                "--replica",
                "dc1-n2",
                "-o",
                "json"
            )
            #expect(own.json["value"] as? Int == 13, "\(own)")
            let scanned = try await cluster.starling("scan", "ks")
            #expect(scanned.output == "k\t13\n", "\(scanned)")
            let put = try await cluster.starling("put", "ks/k", "1", "-o", "json")
            #expect(put.exit == 64 && put.error["code"] as? String == "invalid", "\(put)")
            let exported = try await cluster.starling("export", "ks", "-")
            #expect(exported.exit == 64 && exported.notes.contains("scan"), "\(exported)")
            let line = "{\"key\":\"a\",\"value\":\"1\"}\n"
            let imported = try await cluster.starling("import", "ks", "-", input: line)
            #expect(imported.exit == 1 && imported.notes.contains("line 1"), "\(imported)")
        }
    }

    @Test func `members come and go, and absent ones are told`() async throws {
        try await withKeyspace("set") { cluster in
            let added = try await cluster.starling("set", "add", "ks/k", "a", "b", "-c", "QUORUM")
            #expect(added.exit == 0, "\(added)")
            let removed = try await cluster.starling("set", "remove", "ks/k", "a", "-c", "QUORUM")
            #expect(removed.exit == 0, "\(removed)")
            let members = try await cluster.starling("set", "members", "ks/k", "-c", "QUORUM")
            #expect(members.output == "b\n", "\(members)")
            let contains = try await cluster.starling("set", "contains", "ks/k", "b", "a")
            #expect(contains.exit == 2, "\(contains)")
            #expect(contains.output == "b\tpresent\na\tabsent\n", "\(contains)")
            let empty = try await cluster.starling("set", "members", "ks/none", "-o", "json")
            #expect(empty.exit == 0 && empty.json["members"] as? [String] == [], "\(empty)")
        }
    }

    @Test func `fields of a map are registers, counters and sets`() async throws {
        try await withKeyspace("map") { cluster in
            for arguments in [
                ["name", "Ada"], ["roles", "admin", "--kind", "set"],
                ["visits", "2", "--kind", "counter"], ["visits", "-5", "--kind", "counter"],
            ] {
                let put = try await cluster.starling(
                    all: ["map", "put", "ks/k"] + arguments + ["-c", "QUORUM"]
                )
                #expect(put.exit == 0, "\(put)")
            }
            let shown = try await cluster.starling("map", "show", "ks/k", "-c", "QUORUM")
            #expect(
                shown.output == "name\tregister\tAda\nroles\tset\tadmin\nvisits\tcounter\t-3\n",
                "\(shown)"
            )
            for arguments in [["name"], ["roles", "admin", "--kind", "set"]] {
                let removed = try await cluster.starling(
                    all: ["map", "remove", "ks/k"] + arguments + ["-c", "QUORUM"]
                )
                #expect(removed.exit == 0, "\(removed)")
            }
            let left = try await cluster.starling("map", "show", "ks/k", "-c", "QUORUM")
            #expect(left.output == "visits\tcounter\t-3\n", "\(left)")
            let field = try await cluster.starling("map", "show", "ks/k", "name")
            #expect(field.exit == 2, "\(field)")
        }
    }
}
