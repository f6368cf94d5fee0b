import Foundation
import Testing

/// What `starling dev wipe` takes away, and what it leaves alone.
@Suite(.serialized, .timeLimit(.minutes(2))) struct `Wiping a node` {
    private static func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test func `is refused while it runs, takes its data and nothing else, and may be repeated`()
        async throws
    {
        try await TestCluster.run(nodes: 1) { cluster in
            let files = FileManager.default
            let node = cluster.folder.appending(path: "cluster/nodes/dc1-n1")
            let data = node.appending(path: "data")
            #expect(try await cluster.starling("put", "demo/k", "1").exit == 0)
            for options in [[], ["--dry-run"], ["--yes"]] {
                let running = try await cluster.dev(all: ["wipe", "dc1-n1"] + options)
                #expect(running.exit == 1, "\(running)")
                #expect(running.notes.contains("starling dev kill dc1-n1"), "\(running)")
                #expect(running.notes.contains("starling dev stop"), "\(running)")
            }
            #expect(try await cluster.starling("get", "demo/k").exit == 0)
            #expect(try await cluster.dev("kill", "dc1-n1").exit == 0)
            let unknown = try await cluster.dev("wipe", "dc1-n7")
            #expect(unknown.exit == 2 && unknown.notes.contains("dc1-n1"), "\(unknown)")

            // Whatever a link in it leads to stays.
            let outside = cluster.folder.appending(path: "outside")
            try files.createDirectory(at: outside, withIntermediateDirectories: false)
            try Data("mine".utf8).write(to: outside.appending(path: "file"))
            for place in ["link", "store/link"] {
                try files.createSymbolicLink(
                    at: data.appending(path: place),
                    withDestinationURL: outside
                )
            }
            let before = try Self.names(in: data)
            let dry = try await cluster.dev("wipe", "dc1-n1", "--dry-run")
            #expect(dry.exit == 0 && dry.output.contains("would remove"), "\(dry)")
            #expect(try Self.names(in: data) == before)

            let wiped = try await cluster.dev("wipe", "dc1-n1")
            #expect(wiped.exit == 0, "\(wiped)")
            #expect(wiped.notes.contains("starling dev start dc1-n1"), "\(wiped)")
            #expect(try Self.names(in: data) == [])
            #expect(try Self.names(in: node) == ["data", "log", "node.yaml", "pid"])
            #expect(try Self.names(in: outside) == ["file"])
            let again = try await cluster.dev("wipe", "dc1-n1", "--yes")
            #expect(again.exit == 0 && again.output.contains("no data"), "\(again)")
        }
    }

    @Test func `is refused where its directory holds something else, or leads elsewhere`()
        async throws
    {
        try await TestCluster.run(nodes: 1) { cluster in
            let files = FileManager.default
            let data = cluster.folder.appending(path: "cluster/nodes/dc1-n1/data")
            let elsewhere = cluster.folder.appending(path: "elsewhere")
            #expect(try await cluster.dev("stop").exit == 0)
            try files.moveItem(at: data, to: elsewhere)
            try files.createSymbolicLink(at: data, withDestinationURL: elsewhere)
            let before = try Self.names(in: elsewhere)
            let led = try await cluster.dev("wipe", "dc1-n1")
            #expect(led.exit == 1 && led.notes.contains("is a link"), "\(led)")
            #expect(try Self.names(in: elsewhere) == before)

            try files.removeItem(at: data)
            try files.createDirectory(at: data, withIntermediateDirectories: false)
            try Data("mine".utf8).write(to: data.appending(path: "thesis.txt"))
            let foreign = try await cluster.dev("wipe", "dc1-n1")
            #expect(foreign.exit == 1 && foreign.notes.contains("thesis.txt"), "\(foreign)")
            #expect(try Self.names(in: data) == ["thesis.txt"])
        }
    }
}

/// A node that starts again with an empty disk, in clusters of real processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `A node that lost its disk` {
    private static let nodes = ["dc1-n1", "dc1-n2", "dc1-n3"]

    /// Runs commands until each node has coordinated one, and returns how many there were.
    ///
    /// Which node does is the client's choice, at random among the replicas.
    @discardableResult
    private func throughEachNode(
        of cluster: TestCluster,
        check: (BuiltProgram.Outcome) -> Void = { _ in },
        _ command: (Int) async throws -> [String]
    ) async throws -> Int {
        var missing = Set(Self.nodes)
        var count = 0
        while !missing.isEmpty {
            count += 1
            try #require(count < 100, "\(missing) coordinated nothing")
            let outcome = try await cluster.starling(
                all: try await command(count) + ["-o", "json"]
            )
            try #require(outcome.exit == 0, "\(outcome)")
            check(outcome)
            missing.remove(try #require(outcome.json["coordinator"] as? String, "\(outcome)"))
        }
        return count
    }

    private func succeed(_ arguments: String..., in cluster: TestCluster) async throws {
        let outcome = try await cluster.starling(all: arguments)
        try #require(outcome.exit == 0, "\(outcome)")
    }

    /// Makes a keyspace of the mode that is its name.
    private func createKeyspace(_ mode: String, in cluster: TestCluster) async throws {
        try await succeed(
            "keyspace",
            "create",
            mode,
            "--replication",
            "dc1=3",
            "--mode",
            mode,
            in: cluster
        )
    }

    private func dev(_ verbs: [String], _ node: String, in cluster: TestCluster) async throws {
        for verb in verbs {
            let outcome = try await cluster.dev(verb, node)
            try #require(outcome.exit == 0, "\(outcome)")
        }
    }

    /// Kills a node, wipes it and starts it again, and expects it to notice.
    private func loseDisk(of node: String, in cluster: TestCluster) async throws {
        try await dev(["kill", "wipe", "start"], node, in: cluster)
        let file = cluster.folder.appending(path: "cluster/nodes/\(node)/log")
        let log = try String(contentsOf: file, encoding: .utf8)
        #expect(log.contains("older data than a peer has seen here"), "\(log)")
    }

    /// Expects a node to know nothing of its own copy of a key, not even that there is none.
    private func expectUnknown(
        _ key: String,
        on node: String,
        in cluster: TestCluster
    ) async throws {
        let own = try await cluster.starling("get", key, "--replica", node, "-o", "json")
        #expect(own.exit == 1, "\(own)")
        #expect(own.error["code"] as? String == "corrupt", "\(own)")
    }

    @Test func `says unknown of its own copies, in later lives too, while QUORUM reads through it`()
        async throws
    {
        try await TestCluster.run { cluster in
            try await succeed("put", "demo/k", "1", "-c", "ALL", in: cluster)
            // Lost again before anything brought it up to date, then started without a loss.
            for isLost in [true, true, false] {
                try await dev(
                    ["kill"] + (isLost ? ["wipe"] : []) + ["start"],
                    "dc1-n3",
                    in: cluster
                )
                for key in ["demo/k", "demo/never"] {
                    try await expectUnknown(key, on: "dc1-n3", in: cluster)
                }
                let read = ["get", "demo/k", "-c", "QUORUM"]
                try await throughEachNode(
                    of: cluster,
                    check: { #expect($0.value == "1", "\($0)") }
                ) { _ in read }
                let all = try await cluster.starling("get", "demo/k", "-c", "ALL", "-o", "json")
                #expect(all.exit == 3, "\(all)")
                #expect((all.error["message"] as? String)?.contains("dc1-n3") == true, "\(all)")
                let absent = try await cluster.starling("get", "demo/never", "-c", "QUORUM")
                #expect(absent.exit == 2, "\(absent)")
            }
        }
    }

    @Test func `says unknown though it has started before any other could tell it`() async throws {
        try await TestCluster.run { cluster in
            try await succeed("put", "demo/k", "1", "-c", "ALL", in: cluster)
            for node in Self.nodes { try await dev(["kill"], node, in: cluster) }
            try await dev(["wipe", "start", "kill", "start", "kill"], "dc1-n1", in: cluster)
            for node in Self.nodes.reversed() { try await dev(["start"], node, in: cluster) }
            try await expectUnknown("demo/k", on: "dc1-n1", in: cluster)
            let read = try await cluster.starling("get", "demo/k", "-c", "QUORUM")
            #expect(read.output == "1\n", "\(read)")
        }
    }

    @Test func `is started by dev too, though it is the first, and finds its keyspaces again`()
        async throws
    {
        try await TestCluster.run { cluster in
            try await succeed("put", "demo/k", "1", "-c", "ALL", in: cluster)
            try await dev(["kill", "wipe"], "dc1-n1", in: cluster)
            let up = try await cluster.up()
            #expect(up.exit == 0, "\(up)")
            try await expectUnknown("demo/k", on: "dc1-n1", in: cluster)
            try await createKeyspace("set", in: cluster)
        }
    }

    @Test func `coordinates writes of values, siblings and sets that lose nothing`() async throws {
        try await TestCluster.run { cluster in
            for mode in ["siblings", "set"] { try await createKeyspace(mode, in: cluster) }
            try await succeed("put", "demo/k", "0", "-c", "ALL", in: cluster)
            try await succeed("put", "siblings/k", "0", "-c", "ALL", in: cluster)
            try await succeed("set", "add", "set/k", "m0", "-c", "ALL", in: cluster)
            try await loseDisk(of: "dc1-n2", in: cluster)

            let values = try await throughEachNode(of: cluster) {
                ["put", "demo/k", "\($0)", "-c", "QUORUM"]
            }
            try await throughEachNode(of: cluster, check: { #expect($0.value == "\(values)") }) {
                _ in ["get", "demo/k", "-c", "QUORUM"]
            }

            let siblings = try await throughEachNode(of: cluster) { count in
                let read = try await cluster.starling(
                    "get",
                    "siblings/k",
                    "-c",
                    "QUORUM",
                    "-o",
                    "json"
                )
                #expect(read.json["siblings"] as? Int == 1, "\(read)")
                #expect(read.value == "\(count - 1)", "\(read)")
                let context = try #require(read.json["context"] as? String, "\(read)")
                return ["put", "siblings/k", "\(count)", "--context", context, "-c", "QUORUM"]
            }
            let last = try await cluster.starling("get", "siblings/k", "-c", "QUORUM")
            #expect(last.output == "\(siblings)\n", "\(last)")

            let members = try await throughEachNode(of: cluster) {
                ["set", "add", "set/k", "m\($0)", "-c", "QUORUM"]
            }
            let expected = Set((0...members).map { "m\($0)" })
            try await throughEachNode(
                of: cluster,
                check: { #expect(Set($0.json["members"] as? [String] ?? []) == expected, "\($0)") }
            ) { _ in ["set", "members", "set/k", "-c", "QUORUM"] }
        }
    }

    @Test func `counts what was added before, and an operation once through whichever node`()
        async throws
    {
        try await TestCluster.run { cluster in
            try await createKeyspace("counter", in: cluster)
            var additions = try await throughEachNode(of: cluster) { _ in
                ["counter", "add", "counter/k", "5", "-c", "QUORUM"]
            }
            for _ in 1...2 {
                try await loseDisk(of: "dc1-n2", in: cluster)
                additions += 1
                let id = "operation-\(additions)"
                try await throughEachNode(of: cluster) { _ in
                    ["counter", "add", "counter/k", "5", "--operation-id", id, "-c", "QUORUM"]
                }
                try await throughEachNode(
                    of: cluster,
                    check: { #expect($0.json["value"] as? Int == 5 * additions, "\($0)") }
                ) { _ in ["counter", "get", "counter/k", "-c", "QUORUM"] }
            }
        }
    }
}
