import ArgumentParser
import ClusterPrimitives
import Foundation
import StarlingClient

/// The command `starling config show`.
struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the settings that commands use to reach the cluster.",
        discussion: """
            A flag goes before the environment (STARLING_…), that before the profile, and that \
            before the default; --origin says which it was.

            EXAMPLES:
              starling config show
              starling config show --origin
              starling config show --profile prod --datacenter dc2 --origin -o json
            """
    )

    @Flag(help: "Say where each setting comes from: flag, environment, file or default.")
    var origin = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var consistency: ConsistencyOptions

    func run() throws {
        let settings = try ClientSettings.all(connection, output, consistency)
        if output.isJSON {
            let members: [JSONValue.Member] = settings.map { setting in
                guard origin else { return (setting.name, .string(setting.value)) }
                return (
                    setting.name,
                    .object([
                        ("value", .string(setting.value)), ("origin", .string(setting.origin)),
                    ])
                )
            }
            Console.print(JSONValue.object(members).text)
            return
        }
        var table = TablePrinter(origin ? ["SETTING", "VALUE", "ORIGIN"] : ["SETTING", "VALUE"])
        for setting in settings {
            table.row(
                origin
                    ? [setting.name, setting.value, setting.origin]
                    : [setting.name, setting.value]
            )
        }
        Console.write(table.text(isPlain: output.format == .plain))
    }
}

/// The settings of a command that talks to a cluster, with where each comes from.
enum ClientSettings {
    /// One setting.
    struct Setting {
        var name: String
        var value: String
        /// `flag --timeout`, `environment STARLING_TIMEOUT`, `file client.yaml` or `default`.
        var origin: String
    }

    /// All settings, in the order of the help.
    static func all(
        _ connection: ConnectionOptions,
        _ output: OutputOptions,
        _ consistency: ConsistencyOptions,
        arguments: [String] = CommandLine.arguments,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> [Setting] {
        let location = try ProfileDiscovery.location(argument: connection.profile)
        let profile = try ProfileDiscovery.profile(at: location)
        func origin(_ option: String, short: String? = nil) -> String? {
            let isFlag = arguments.contains { argument in
                argument == "--\(option)" || argument.hasPrefix("--\(option)=")
                    || short.map { argument.hasPrefix($0) && !argument.hasPrefix("--") } ?? false
            }
            if isFlag { return "flag --\(option)" }
            let variable = EnvironmentOptions.variable(option)
            let isGiven = environment[variable].map { !$0.isEmpty } ?? false
            return isGiven ? "environment \(variable)" : nil
        }
        let file = "file \(location.file)"
        let endpoints = profile.endpoints.map(\.endpoint.description).joined(separator: " ")
        return [
            Setting(
                name: "profile",
                value: location.file,
                origin: origin("profile") ?? "default \(location.origin)"
            ),
            Setting(name: "cluster", value: profile.cluster, origin: file),
            Setting(name: "endpoints", value: endpoints, origin: file),
            Setting(
                name: "datacenter",
                value: connection.datacenter ?? profile.datacenter ?? "",
                origin: origin("datacenter") ?? (profile.datacenter == nil ? "default" : file)
            ),
            Setting(name: "certificate_authority", value: profile.authority, origin: file),
            Setting(name: "certificate", value: profile.certificate, origin: file),
            Setting(name: "key", value: profile.key, origin: file),
            Setting(
                name: "timeout",
                value: DurationText.text(connection.timeout.duration),
                origin: origin("timeout") ?? "default"
            ),
            Setting(
                name: "consistency",
                value: consistency.consistency?.description ?? "the keyspace's",
                origin: origin("consistency", short: "-c") ?? "default"
            ),
            Setting(
                name: "output",
                value: output.format.rawValue,
                origin: origin("output", short: "-o") ?? "default"
            ),
            Setting(
                name: "color",
                value: output.color.rawValue,
                origin: origin("color") ?? "default"
            ),
        ]
    }
}
