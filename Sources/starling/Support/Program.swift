import ArgumentParser
import Foundation
import StarlingClient

/// Runs one command line and tells its errors as the contract says.
@main
enum Program {
    static func main() async {
        // A reader that went away shows as an error of the write.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        exit(await run(arguments, environment: ProcessInfo.processInfo.environment))
    }

    /// Runs the command that the arguments name.
    ///
    /// - Returns: the exit code.
    static func run(_ arguments: [String], environment: [String: String]) async -> Int32 {
        var path: CommandPath?
        do {
            let named = try CommandPath(arguments, root: Starling.self)
            path = named
            let completed = EnvironmentOptions.completed(named, environment: environment)
            var command = try Starling.parseAsRoot(completed)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return report(error, path, isJSON: OutputFormat.isJSONWanted(arguments, environment))
        }
    }

    private static func report(_ error: any Error, _ path: CommandPath?, isJSON: Bool) -> Int32 {
        switch error {
        case let code as ExitCode:
            return code.rawValue
        case let end as CommandExit:
            return end.exit.rawValue
        case let error as CommandError:
            return tell(error, isJSON: isJSON)
        case let error as StarlingError:
            return tell(CommandError(error), isJSON: isJSON)
        default:
            break
        }
        let code = Starling.exitCode(for: error)
        if code == .success {
            Console.write(Starling.fullMessage(for: error) + "\n")
            return 0
        }
        if code == .validationFailure {
            let command = (["starling"] + (path?.names ?? [])).joined(separator: " ")
            return tell(
                .usage(
                    Starling.message(for: error),
                    advice: "See '\(command) --help'."
                ),
                isJSON: isJSON
            )
        }
        return tell(CommandError("internal", "\(error)", exit: .failed), isJSON: isJSON)
    }

    private static func tell(_ error: CommandError, isJSON: Bool) -> Int32 {
        if isJSON {
            Console.print(error.json.text)
        } else {
            Console.noteRaw(error.text)
            TraceText.note(error.trace)
        }
        return error.exit.rawValue
    }
}
