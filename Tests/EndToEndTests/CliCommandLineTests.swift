import ArgumentParser
import Testing

@testable import starling

@Suite struct `The command line` {
    /// All commands that can run.
    private static func leaves(
        _ command: any ParsableCommand.Type = Starling.self
    ) -> [any ParsableCommand.Type] {
        let subcommands = command.configuration.subcommands
        return subcommands.isEmpty ? [command] : subcommands.flatMap { leaves($0) }
    }

    @Test func `every command has examples in its help`() {
        for leaf in Self.leaves() {
            #expect(
                Starling.helpMessage(for: leaf, columns: 120).contains("EXAMPLES:"),
                "\(leaf._commandName)"
            )
        }
    }

    @Test func `an unknown command names the nearest one`() {
        for (arguments, nearest) in [
            (["gte", "demo/a"], "starling get"),
            (["keyspace", "crate"], "starling keyspace create"),
            (["bench", "reed"], "starling bench read"),
        ] {
            #expect {
                _ = try CommandPath(arguments, root: Starling.self)
            } throws: { error in
                let error = error as? CommandError
                return error?.exit == .usage && error?.advice == "Did you mean '\(nearest)'?"
            }
        }
    }

    private func completed(
        _ arguments: [String],
        _ environment: [String: String]
    ) throws -> [String] {
        let path = try CommandPath(arguments, root: Starling.self)
        return EnvironmentOptions.completed(path, environment: environment)
    }

    @Test func `options stand in the environment, and flags come before them`() throws {
        let environment = ["STARLING_CONSISTENCY": "ALL", "STARLING_OUTPUT": "json"]
        #expect(
            try completed(["get", "demo/a"], environment)
                == ["get", "--consistency=ALL", "--output=json", "demo/a"]
        )
        #expect(
            try completed(["get", "demo/a", "-c", "ONE", "--output=plain"], environment)
                == ["get", "demo/a", "-c", "ONE", "--output=plain"]
        )
        #expect(
            try completed(["get", "-cONE", "-ojson", "demo/a"], environment)
                == ["get", "-cONE", "-ojson", "demo/a"]
        )
    }

    @Test func `a variable for another command, or for the context, has no effect`() throws {
        let environment = [
            "STARLING_CONTEXT": "AQ", "STARLING_REPLICA": "n1", "STARLING_HELP": "1",
            "STARLING_TTL": "", "HOME": "/",
        ]
        #expect(try completed(["put", "demo/a", "1"], environment) == ["put", "demo/a", "1"])
    }

    @Test func `a flag in the environment is switched on by a yes`() throws {
        #expect(
            try completed(["keyspace", "drop", "x"], ["STARLING_YES": "true"])
                == ["keyspace", "drop", "--yes", "x"]
        )
        #expect(
            try completed(["keyspace", "drop", "x"], ["STARLING_YES": "0"])
                == ["keyspace", "drop", "x"]
        )
    }

    @Test func `JSON is recognised also where the arguments are not understood`() {
        for arguments in [
            ["-o", "json"], ["--output=json"], ["-ojsonl"], ["x", "--output", "json"],
        ] {
            #expect(OutputFormat.isJSONWanted(arguments, [:]))
        }
        #expect(OutputFormat.isJSONWanted([], ["STARLING_OUTPUT": "json"]))
        #expect(!OutputFormat.isJSONWanted(["-o", "plain"], ["STARLING_OUTPUT": "json"]))
        #expect(!OutputFormat.isJSONWanted(["put", "a", "--", "-o", "json"], [:]))
    }
}
