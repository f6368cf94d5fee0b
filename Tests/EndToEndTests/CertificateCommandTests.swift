import Foundation
import Testing

/// What `starling cert` makes and finds.
@Suite struct `Certificates from the command line` {
    @Test func `made for a cluster they verify, and are never overwritten`() async throws {
        try await withTemporaryFolder { folder in
            func cert(_ arguments: String...) async throws -> BuiltProgram.Outcome {
                try await BuiltProgram.run(["cert"] + arguments, in: folder)
            }
            let authority = try await cert("create-ca", "--cluster", "orders")
            #expect(authority.exit == 0, "\(authority)")
            let node = try await cert("create-node", "east-1", "--host", "localhost")
            #expect(node.exit == 0, "\(node)")
            let admin = try await cert("create-client", "ops", "--admin")
            #expect(admin.exit == 0, "\(admin)")

            let shown = try await cert("inspect", "certs/east-1.crt", "-o", "json")
            #expect(
                shown.json["uris"] as? [String] == ["starling://orders/node/east-1"],
                "\(shown)"
            )
            for name in ["east-1", "ops"] {
                let good = try await cert(
                    "verify",
                    "certs/\(name).crt",
                    "--cluster",
                    "orders",
                    "-o",
                    "json"
                )
                #expect(good.exit == 0 && good.json["valid"] as? Bool == true, "\(good)")
            }
            let wrong = try await cert("verify", "certs/east-1.crt", "--cluster", "other")
            #expect(wrong.exit == 1 && wrong.output.contains("orders"), "\(wrong)")
            let short = try await cert("verify", "certs/east-1.crt", "--days", "9000")
            #expect(short.exit == 1, "\(short)")

            let key = folder.appending(path: "certs/east-1.key")
            let before = try Data(contentsOf: key)
            let again = try await cert("create-node", "east-1")
            #expect(again.exit == 1 && again.notes.contains("certs/east-1.key"), "\(again)")
            #expect(try Data(contentsOf: key) == before)
            let mode = try FileManager.default.attributesOfItem(atPath: key.path)[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }
    }

    @Test func `a certificate of another authority is a finding`() async throws {
        try await withTemporaryFolder { folder in
            for place in ["a", "b"] {
                let made = try await BuiltProgram.run(
                    ["cert", "create-ca", "--cluster", "orders", "--directory", place],
                    in: folder
                )
                #expect(made.exit == 0, "\(made)")
            }
            let node = try await BuiltProgram.run(
                ["cert", "create-node", "n1", "--directory", "a"],
                in: folder
            )
            #expect(node.exit == 0, "\(node)")
            let foreign = try await BuiltProgram.run(
                ["cert", "verify", "a/n1.crt", "--directory", "b"],
                in: folder
            )
            #expect(foreign.exit == 1, "\(foreign)")
        }
    }

    @Test func `a file that is no certificate is named`() async throws {
        try await withTemporaryFolder { folder in
            try Data("no certificate".utf8).write(to: folder.appending(path: "x.crt"))
            let outcome = try await BuiltProgram.run(["cert", "inspect", "x.crt"], in: folder)
            #expect(outcome.exit != 0 && outcome.notes.contains("x.crt"), "\(outcome)")
        }
    }
}
