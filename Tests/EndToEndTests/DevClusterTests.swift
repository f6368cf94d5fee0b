import Foundation
import Testing

/// Clusters that `starling dev` starts: real processes, real sockets, real files.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `A cluster of real processes` {
    @Test func `values come back at every level and are gone when deleted`() async throws {
        try await TestCluster.run { cluster in
            let levels = [
                "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_ONE", "LOCAL_QUORUM",
                "EACH_QUORUM",
            ]
            for level in levels {
                let key = "demo/at-\(level)"
                let put = try await cluster.starling("put", key, "is \(level)", "-c", level)
                #expect(put.exit == 0, "\(put)")
                let get = try await cluster.starling("get", key, "-c", "ALL", "-o", "json")
                #expect(get.value == "is \(level)", "\(get)")
                let delete = try await cluster.starling("delete", key, "-c", level)
                #expect(delete.exit == 0, "\(delete)")
                let gone = try await cluster.starling("get", key, "-c", "ALL", "-o", "json")
                #expect(gone.exit == 2, "\(gone)")
                #expect(gone.error["code"] as? String == "not_found", "\(gone)")
            }
        }
    }

    @Test func `export gives back what was imported, in token order, also after a stop`()
        async throws
    {
        try await TestCluster.run { cluster in
            let records = (0..<300).map {
                #"{"key":"k\#($0)","value":"value \#($0)"}"#
            }
            let imported = try await cluster.starling(
                "import",
                "demo",
                "-",
                "-c",
                "QUORUM",
                input: records.joined(separator: "\n") + "\n"
            )
            #expect(imported.exit == 0, "\(imported)")
            let before = try await cluster.starling("export", "demo", "-", "-c", "QUORUM")
            #expect(Self.pairs(before.output) == Self.pairs(records.joined(separator: "\n")))

            let scan = try await cluster.starling(
                "scan",
                "demo",
                "--limit",
                "7",
                "--keys-only",
                "-o",
                "jsonl"
            )
            #expect(scan.exit == 0, "\(scan)")

            let stopped = try await cluster.dev("stop")
            #expect(stopped.exit == 0, "\(stopped)")
            let unreachable = try await cluster.starling("get", "demo/k1")
            #expect(unreachable.exit == 69, "\(unreachable)")
            let again = try await cluster.up()
            #expect(again.exit == 0, "\(again)")
            let after = try await cluster.starling("export", "demo", "-", "-c", "QUORUM")
            #expect(after.output == before.output)
        }
    }

    @Test func `with a node killed QUORUM answers, and ALL is refused before anything is written`()
        async throws
    {
        try await TestCluster.run { cluster in
            #expect(try await cluster.starling("put", "demo/k", "1").exit == 0)
            let killed = try await cluster.dev("kill", "dc1-n2")
            #expect(killed.exit == 0, "\(killed)")
            let put = try await cluster.starling("put", "demo/k", "2", "-c", "QUORUM")
            #expect(put.exit == 0, "\(put)")
            let refused = try await cluster.starling(
                "put",
                "demo/k",
                "3",
                "-c",
                "ALL",
                "-o",
                "json"
            )
            #expect(refused.exit == 3, "\(refused)")
            #expect(refused.error["code"] as? String == "unavailable", "\(refused)")
            #expect(refused.error["required"] as? Int == 3, "\(refused)")
            #expect(refused.error["alive"] as? Int == 2, "\(refused)")
            #expect(refused.error["written"] as? String == "no", "\(refused)")
            #expect((refused.error["message"] as? String)?.contains("dc1-n2") == true, "\(refused)")
            let get = try await cluster.starling("get", "demo/k", "-c", "QUORUM", "-o", "json")
            #expect(get.value == "2", "\(get)")

            let started = try await cluster.dev("start", "dc1-n2")
            #expect(started.exit == 0, "\(started)")
            let all = try await cluster.starling("put", "demo/k", "4", "-c", "ALL")
            #expect(all.exit == 0, "\(all)")
        }
    }

    @Test func `a paused node does not hold up QUORUM, and answers again when resumed`()
        async throws
    {
        try await TestCluster.run { cluster in
            #expect(try await cluster.dev("pause", "dc1-n3").exit == 0)
            let put = try await cluster.starling("put", "demo/k", "1", "-c", "QUORUM")
            #expect(put.exit == 0, "\(put)")
            let resumed = try await cluster.dev("resume", "dc1-n3")
            #expect(resumed.exit == 0, "\(resumed)")
            let all = try await cluster.starling("get", "demo/k", "-c", "ALL", "-o", "json")
            #expect(all.value == "1", "\(all)")
        }
    }

    @Test func `in the foreground SIGTERM stops all nodes, which can be started again`()
        async throws
    {
        try await TestCluster.run(nodes: 2) { cluster in
            let stopped = try await cluster.dev("stop")
            #expect(stopped.exit == 0, "\(stopped)")
            let foreground = Process()
            let output = Pipe()
            foreground.executableURL = URL(filePath: BuiltProgram.path)
            foreground.arguments = ["dev", "--dir", "cluster"]
            foreground.currentDirectoryURL = cluster.folder
            foreground.standardInput = FileHandle.nullDevice
            foreground.standardOutput = output
            foreground.standardError = FileHandle.nullDevice
            try foreground.run()
            defer { foreground.terminate() }
            var printed = Data()
            while !String(decoding: printed, as: UTF8.self).contains("Stop: Ctrl-C") {
                let piece = output.fileHandleForReading.availableData
                try #require(!piece.isEmpty, "it ended before the nodes were up")
                printed += piece
            }
            #expect(try await cluster.starling("put", "demo/k", "1", "-c", "ALL").exit == 0)
            foreground.terminate()
            foreground.waitUntilExit()
            #expect(foreground.terminationStatus == 0)
            #expect(try await cluster.starling("get", "demo/k").exit == 69)
            let again = try await cluster.up()
            #expect(again.exit == 0, "\(again)")
            let get = try await cluster.starling("get", "demo/k", "-c", "ALL", "-o", "json")
            #expect(get.value == "1", "\(get)")
        }
    }

    @Test func `between two datacenters a partition leaves each side its local levels`()
        async throws
    {
        try await TestCluster.run(datacenters: 2, nodes: 1) { cluster in
            #expect(try await cluster.dev("partition", "dc1", "dc2").exit == 0)
            let local = try await cluster.starling("put", "demo/k", "here", "-c", "LOCAL_QUORUM")
            #expect(local.exit == 0, "\(local)")
            let each = try await cluster.starling("put", "demo/k", "both", "-c", "EACH_QUORUM")
            #expect(each.exit == 3 || each.exit == 4, "\(each)")
            let healed = try await cluster.dev("heal")
            #expect(healed.exit == 0, "\(healed)")
            let up = try await cluster.up()
            #expect(up.exit == 0, "\(up)")
            let after = try await cluster.starling("put", "demo/k", "both", "-c", "EACH_QUORUM")
            #expect(after.exit == 0, "\(after)")
        }
    }

    @Test func `a cluster that was made for other numbers is refused and left alone`() async throws
    {
        try await TestCluster.run(nodes: 1) { cluster in
            let other = try await BuiltProgram.run(
                ["dev", "--detach", "--dir", "cluster", "--nodes", "2"],
                in: cluster.folder
            )
            #expect(other.exit == 64, "\(other)")
            #expect(other.notes.contains("--nodes"), "\(other)")
            let unknown = try await cluster.dev("kill", "dc9-n9")
            #expect(unknown.exit != 0 && unknown.notes.contains("dc1-n1"), "\(unknown)")
            #expect(try await cluster.starling("put", "demo/k", "1").exit == 0)

            let reset = try await cluster.up("--reset")
            #expect(reset.exit == 0, "\(reset)")
            #expect(try await cluster.starling("get", "demo/k").exit == 2)
        }
    }

    /// Keys and values of exported lines.
    private static func pairs(_ text: String) -> [String: String] {
        var pairs: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let object =
                (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: String]
            if let key = object?["key"], let value = object?["value"] { pairs[key] = value }
        }
        return pairs
    }
}

/// What `starling dev` refuses before it starts anything.
@Suite struct `The directory of a development cluster` {
    @Test func `a folder that dev did not make is neither used nor reset`() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "mine/certs/ca.crt")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try Data("mine".utf8).write(to: file)
            for options in [[], ["--reset"]] {
                let outcome = try await BuiltProgram.run(
                    ["dev", "--detach", "--dir", "mine"] + options,
                    in: folder
                )
                #expect(outcome.exit != 0, "\(outcome)")
                #expect(outcome.notes.contains("not a development cluster"), "\(outcome)")
                #expect(try Data(contentsOf: file) == Data("mine".utf8))
            }
        }
    }

    @Test(arguments: [
        ["stop"], ["kill", "dc1-n1"], ["start", "dc1-n1"], ["wipe", "dc1-n1"], ["logs", "dc1-n1"],
    ])
    func `a verb says where it looked when no cluster is there`(verb: [String]) async throws {
        try await withTemporaryFolder { folder in
            let outcome = try await BuiltProgram.run(
                ["dev"] + verb + ["--dir", "none"],
                in: folder
            )
            #expect(outcome.exit == 2, "\(outcome)")
            #expect(outcome.notes.contains("'none'"), "\(outcome)")
        }
    }
}
