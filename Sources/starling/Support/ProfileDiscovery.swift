import ClusterPrimitives
import Foundation
import StarlingClient

/// Finds the profile that a command uses.
enum ProfileDiscovery {
    /// Where a profile was found.
    struct Location: Equatable {
        /// The file.
        var file: String
        /// The entry of a file of several profiles; nil where the file is one profile.
        var entry: Entry?
        /// Which rule found it.
        var origin: String
    }

    /// An entry of a file of several profiles.
    enum Entry: Equatable {
        /// The one that the file calls current.
        case current
        /// The one of this name.
        case named(String)
    }

    /// The profile that `starling dev` writes, from the working directory.
    static let developmentFile = "starling-dev/client.yaml"

    /// The file of a user's profiles: `current: NAME` and `profiles: {NAME: {…}}`.
    static var userFile: String {
        let home = ProcessInfo.processInfo.environment["HOME"] ?? NSHomeDirectory()
        return home + "/.config/starling/profiles.yaml"
    }

    /// Where the profile is to be read from, after what `--profile` or its environment variable
    /// says.
    static func location(
        argument: String?,
        exists: (String) -> Bool = { FileManager.default.fileExists(atPath: $0) }
    ) throws -> Location {
        if let argument, !argument.isEmpty {
            let isPath =
                argument.contains("/") || argument.hasSuffix(".yaml")
                || argument.hasSuffix(".yml") || exists(argument)
            if isPath { return Location(file: argument, entry: nil, origin: "--profile") }
            return Location(file: userFile, entry: .named(argument), origin: "--profile")
        }
        if exists(developmentFile) {
            return Location(file: developmentFile, entry: nil, origin: developmentFile)
        }
        if exists(userFile) {
            return Location(file: userFile, entry: .current, origin: userFile)
        }
        throw CommandError.configuration(
            "there is no profile: neither --profile, nor STARLING_PROFILE, nor "
                + "\(developmentFile), nor \(userFile).",
            advice: "Start a cluster with 'starling dev', or name a profile with --profile FILE."
        )
    }

    /// Reads the profile at a location.
    static func profile(at location: Location) throws -> Profile {
        let text: String
        do {
            text = try String(contentsOfFile: location.file, encoding: .utf8)
        } catch {
            throw CommandError.configuration(
                "cannot read the profile \(location.file).",
                advice: "Check the name and that the file can be read."
            )
        }
        guard let entry = location.entry else {
            return try Profile(text: text, file: location.file)
        }
        var top = try StrictMapping.top(of: text, file: location.file)
        let current = try top.optionalString("current")
        var profiles = try top.mapping("profiles")
        try top.finish()
        let name: String
        switch entry {
        case .named(let wanted): name = wanted
        case .current:
            guard let current else {
                throw CommandError.configuration(
                    "\(location.file): current is missing.",
                    advice: "Set it to one of: \(profiles.keys.joined(separator: ", "))."
                )
            }
            name = current
        }
        guard profiles.keys.contains(name) else {
            throw CommandError.configuration(
                "\(location.file): there is no profile '\(name)'.",
                advice: NearestName.of(name, among: profiles.keys)
                    .map { "Did you mean '\($0)'?" }
                    ?? "These exist: \(profiles.keys.joined(separator: ", "))."
            )
        }
        var mapping = try profiles.mapping(name)
        return try Profile(&mapping, file: location.file)
    }
}
