import Foundation
import Glibc
import Testing

/// What lies in `Config/` works as it is described there.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Configuration examples` {
    /// `Config/` of this repository.
    private static let examples = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Config")

    @Test func `the annotated node configuration is the program's template`() async throws {
        try await withTemporaryFolder { folder in
            let template = try await BuiltProgram.run(["config", "template"], in: folder)
            #expect(template.exit == 0, "\(template)")
            let file = Self.examples.appending(path: "node.yaml")
            #expect(try String(contentsOf: file, encoding: .utf8) == template.output)
        }
    }

    @Test func `a mistyped key is named with its neighbour`() async throws {
        try await withTemporaryFolder { folder in
            let file = Self.examples.appending(path: "two-datacenters/east-1.yaml")
            let text = try String(contentsOf: file, encoding: .utf8)
                .replacing("log_format", with: "log_fromat")
            try Data(text.utf8).write(to: folder.appending(path: "node.yaml"))
            let refused = try await BuiltProgram.run(
                ["config", "validate", "node.yaml"],
                in: folder
            )
            #expect(refused.exit == 78, "\(refused)")
            #expect(refused.notes.contains("log_fromat"), "\(refused)")
            #expect(refused.notes.contains("log_format"), "\(refused)")
        }
    }

    @Test func `two datacenters start from their files and keep a value in both`() async throws {
        try await withTemporaryFolder { folder in
            func starling(_ arguments: String...) async throws -> BuiltProgram.Outcome {
                try await BuiltProgram.run(
                    arguments,
                    environment: ["STARLING_PROFILE": "client.yaml"],
                    in: folder
                )
            }
            let names = ["east-1", "east-2", "east-3", "west-1", "west-2", "west-3"]
            try Self.copyExample(to: folder, names: names)
            let topology = try await starling("topology", "init", "MEMBERS.yaml")
            try #require(topology.exit == 0, "\(topology)")
            try Data(topology.output.utf8).write(to: folder.appending(path: "topology.yaml"))
            let authority = try await starling("cert", "create-ca", "--cluster", "orders")
            try #require(authority.exit == 0, "\(authority)")
            for name in names {
                let node = try await starling("cert", "create-node", name)
                try #require(node.exit == 0, "\(node)")
                let valid = try await starling("config", "validate", "\(name).yaml")
                #expect(valid.exit == 0, "\(valid)")
            }
            let admin = try await starling("cert", "create-client", "checkout", "--admin")
            try #require(admin.exit == 0, "\(admin)")

            var processes: [Process] = []
            defer { for process in processes { kill(process.processIdentifier, SIGKILL) } }
            for name in names { processes.append(try Self.startNode(name, in: folder)) }
            var created = try await starling(
                "keyspace",
                "create",
                "shop",
                "--replication",
                "east=3,west=3"
            )
            // Refused until a majority of the nodes has met; each try takes a while by itself.
            while created.exit == 69 || created.exit == 3 || created.exit == 4 {
                let areRunning = processes.allSatisfy { $0.isRunning }
                try #require(areRunning, "a node has ended: \(created)")
                created = try await starling(
                    "keyspace",
                    "create",
                    "shop",
                    "--replication",
                    "east=3,west=3"
                )
            }
            try #require(created.exit == 0 || "\(created)".contains("exists"), "\(created)")
            var put = try await starling("put", "shop/cart", "milk", "-c", "EACH_QUORUM")
            while put.exit == 3 || put.exit == 2 {
                let areRunning = processes.allSatisfy { $0.isRunning }
                try #require(areRunning, "a node has ended: \(put)")
                put = try await starling("put", "shop/cart", "milk", "-c", "EACH_QUORUM")
            }
            #expect(put.exit == 0, "\(put)")
            for datacenter in ["east", "west"] {
                let get = try await starling(
                    "get",
                    "shop/cart",
                    "-c",
                    "LOCAL_QUORUM",
                    "--datacenter",
                    datacenter,
                    "-o",
                    "json"
                )
                #expect(get.value == "milk", "\(get)")
            }
            for process in processes { kill(process.processIdentifier, SIGTERM) }
            for process in processes {
                process.waitUntilExit()
                #expect(process.terminationStatus == 0, "a node did not drain at SIGTERM")
            }
        }
    }

    /// Copies the example, with free ports of this machine in place of its hosts.
    private static func copyExample(to folder: URL, names: [String]) throws {
        let base = try FreePorts.range(of: 2 * names.count)
        func port(_ name: String, _ port: String) -> String {
            "127.0.0.1:\(base + 2 * (names.firstIndex(of: name) ?? 0) + (port == "7401" ? 1 : 0))"
        }
        func copy(_ path: String, as name: String, own: String) throws {
            var text = try String(contentsOf: examples.appending(path: path), encoding: .utf8)
            for number in ["7400", "7401"] {
                for node in names {
                    text = text.replacing("\(node).example.net:\(number)", with: port(node, number))
                }
                text = text.replacing("0.0.0.0:\(number)", with: port(own, number))
            }
            try Data(text.utf8).write(to: folder.appending(path: name))
        }
        try copy("two-datacenters/MEMBERS.yaml", as: "MEMBERS.yaml", own: "")
        try copy("client.yaml", as: "client.yaml", own: "")
        for name in names {
            try copy("two-datacenters/\(name).yaml", as: "\(name).yaml", own: name)
        }
    }

    private static func startNode(_ name: String, in folder: URL) throws -> Process {
        let log = folder.appending(path: "\(name).log")
        try Data().write(to: log)
        let process = Process()
        process.executableURL = URL(filePath: BuiltProgram.path)
        process.arguments = ["node", "--config", "\(name).yaml"]
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        return process
    }
}
